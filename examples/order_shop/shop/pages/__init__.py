"""The pages of the shop, as HTML made on the server."""

from __future__ import annotations

from fastapi.templating import Jinja2Templates

from shop import dashboard
from shop.settings import FOLDER

MAX_ID = 2**31 - 1  # what fits into an integer column of Postgres


def dollars(cents: int) -> str:
    """1244 -> $12.44"""
    return f"${cents / 100:,.2f}"


templates = Jinja2Templates(directory=FOLDER / "shop" / "templates")
templates.env.trim_blocks = templates.env.lstrip_blocks = True
templates.env.filters["dollars"] = dollars
templates.env.globals["dashboard"] = dashboard.PATH
