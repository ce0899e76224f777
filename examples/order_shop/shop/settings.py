"""What the environment says: which database, where the services are, how long things may take."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1]
FAKES = "http://127.0.0.1:3001"


@dataclass(frozen=True, slots=True)
class Settings:
    """`call_timeout_s` is for one call of a service, `request_timeout_s` for one page of ours.

    `mail_lock_s` is how long a mail that is being sent keeps others away: longer than a call takes in any case.
    """

    database_url: str
    payments_url: str
    email_url: str
    fulfillment_url: str
    error_catcher_url: str
    environment: str
    call_timeout_s: float
    request_timeout_s: float
    mail_lock_s: float
    pauses_s: float
    dashboard_password: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that these variables make. Nothing needs to be set. Raises ValueError, which names the variable."""
    call_timeout_s = _seconds(environ, "SHOP_CALL_TIMEOUT_S", 30)
    return Settings(
        database_url=_for_sqlalchemy(environ.get("DATABASE_URL") or f"sqlite:///{FOLDER}/var/shop.sqlite3"),
        payments_url=environ.get("PAYMENTS_API_URL") or f"{FAKES}/payments",
        email_url=environ.get("EMAIL_API_URL") or f"{FAKES}/email",
        fulfillment_url=environ.get("FULLFILLMENT_API_URL") or f"{FAKES}/fulfillment",  # so spelt in the book
        error_catcher_url=environ.get("ERROR_CATCHER_API_URL") or f"{FAKES}/error-catcher",
        environment=environ.get("APP_ENV") or "development",
        call_timeout_s=call_timeout_s,
        request_timeout_s=_seconds(environ, "SHOP_REQUEST_TIMEOUT_S", 5),
        mail_lock_s=_seconds(environ, "SHOP_MAIL_LOCK_S", 3 * call_timeout_s),
        pauses_s=_seconds(environ, "SHOP_PAUSES_S", 0),
        dashboard_password=environ.get("SHOP_DASHBOARD_PASSWORD") or "",
    )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return read_settings(os.environ)


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name}: expected seconds, such as 2.5, but got {text!r}. Without it: {default:g}.")
    return seconds


def _for_sqlalchemy(url: str) -> str:
    """Hosting companies write `postgres://`; SQLAlchemy wants to know the driver too."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url
