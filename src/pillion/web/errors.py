"""Refusals: what the dashboard answers instead of a page, and what of an error may be told to whoever asked."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Literal

from pillion.errors import ConfigError, PillionError, RedisError
from pillion.web.params import BadParam
from pillion.web.roles import Role

log = logging.getLogger("pillion.web")

Kind = Literal[
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "method",
    "conflict",
    "too_large",
    "media",
    "unconfirmed",
    "too_many",
    "broken",
    "unavailable",
]
STATUS: Final[dict[Kind, int]] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method": 405,
    "conflict": 409,
    "too_large": 413,
    "media": 415,
    "unconfirmed": 428,
    "too_many": 429,
    "broken": 500,
    "unavailable": 503,
}


class Refusal(Exception):
    """Ends a request. `detail` is an English sentence that says what to do; `headers` go with the answer."""

    def __init__(self, kind: Kind, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.kind: Kind = kind
        self.detail, self.headers = detail, headers
        super().__init__(detail)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.kind]


class TooManyAttempts(PillionError):
    """A login was tried too often; raised by functions given as `auth`. `retry_after_s` says when to come back."""

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"Too many failed logins. Try again in {retry_after_s:.0f} s.")


@dataclass(slots=True, frozen=True)
class ErrorPage:
    """What `pages/error.html` shows. `title_key` is a text of the locale, `detail` English and hostile."""

    status: int
    kind: Kind
    detail: str
    title_key: str


def page_of(refusal: Refusal) -> ErrorPage:
    """The page of a refusal."""
    return ErrorPage(refusal.status, refusal.kind, refusal.detail, f"error.{refusal.kind}.title")


def needs_role(needed: Role | None, role: Role) -> Refusal:
    """The refusal of somebody whose role is too low."""
    return Refusal("forbidden", f"This needs the role {needed}; yours is {role}.")


def refusal_of(error: Exception, where: str) -> Refusal:
    """What to tell of an error. Parameters: `where` is the Redis, as "host:port/db", never with a password.

    Of an outage: the address and the class only. Of what is not foreseen: nothing, but the log has all of it.
    """
    match error:
        case Refusal():
            return error
        case TooManyAttempts():
            return Refusal("too_many", str(error), (("retry-after", str(int(error.retry_after_s) + 1)),))
        case RedisError():
            log.warning("Redis at %s: %s", where, error)
            return Refusal("unavailable", f"Redis at {where}: {type(error).__name__}", (("retry-after", "5"),))
        case BadParam() | ConfigError():
            return Refusal("bad_request", str(error))
        case PillionError() if isinstance(error, LookupError):
            return Refusal("not_found", str(error))
        case PillionError():
            return Refusal("conflict", str(error))
        case _:
            log.error("The dashboard failed", exc_info=error)
            return Refusal("broken", "The error is in the log of the process that shows this dashboard.")
