"""Pillion's dashboard as a part of the shop.

The shop has no log-in, so the dashboard has one of its own: name `shop`, and the password in SHOP_DASHBOARD_PASSWORD.
Without a password everybody may do everything, but only on this machine: it answers under localhost, 127.0.0.1 and
::1 then, and refuses any other name. An application with users says who may see it instead, with a function of its
own: see docs/guides/dashboard.md of Pillion.
"""

from __future__ import annotations

from fastapi import FastAPI
from pillion import web

PATH = "/sidekiq"
NAME = "shop"


def mount(app: FastAPI, password: str) -> None:
    """Show the dashboard at PATH."""
    app.mount(PATH, web.app(auth=log_in(password), title="Order shop"))


def log_in(password: str) -> web.BasicAuth | None:
    """Who may see it. None stands for everybody on this machine, and has to be said: `app` has no default."""
    return web.BasicAuth({NAME: (password, "admin")}) if password else None
