"""What the environment says: which database, where the services are, how long things may take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1]
FAKES = "http://127.0.0.1:3001"


@dataclass(frozen=True, slots=True)
class Settings:
    """`call_timeout_s` is for one call of a service, `request_timeout_s` for one page of ours."""

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


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that these variables make. Nothing needs to be set."""
    return Settings(
        database_url=_for_sqlalchemy(environ.get("DATABASE_URL") or f"sqlite:///{FOLDER}/var/shop.sqlite3"),
        payments_url=environ.get("PAYMENTS_API_URL") or f"{FAKES}/payments",
        email_url=environ.get("EMAIL_API_URL") or f"{FAKES}/email",
        fulfillment_url=environ.get("FULLFILLMENT_API_URL") or f"{FAKES}/fulfillment",  # so spelt in the book
        error_catcher_url=environ.get("ERROR_CATCHER_API_URL") or f"{FAKES}/error-catcher",
        environment=environ.get("APP_ENV") or "development",
        call_timeout_s=float(environ.get("SHOP_CALL_TIMEOUT_S") or 30),
        request_timeout_s=float(environ.get("SHOP_REQUEST_TIMEOUT_S") or 5),
        mail_lock_s=float(environ.get("SHOP_MAIL_LOCK_S") or 90),
        pauses_s=float(environ.get("SHOP_PAUSES_S") or 0),
    )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return read_settings(os.environ)


def _for_sqlalchemy(url: str) -> str:
    """Hosting companies write `postgres://`; SQLAlchemy wants to know the driver too."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url
