"""What an application says when it puts the dashboard into itself; checked before anything is built."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from pillion.api.fleet import Fleet
from pillion.errors import ConfigError
from pillion.web.data.redaction import Redact
from pillion.web.extension import Extension
from pillion.web.roles import Role
from pillion.web.security.auth import EXPECTED, Auth, takes_a_visitor
from pillion.web.security.origin import LOOPBACK, host_name
from pillion.web.security.token_link import TokenLink

# Where nobody said who may come in. Not None, which lets everybody in.
NOT_SAID: Final[Any] = object()
_LONGEST_TITLE: Final = 60


@dataclass(slots=True, frozen=True, kw_only=True)
class Options:
    """As `pillion.web.app` explains them. Raises ConfigError for what cannot be right."""

    auth: Auth | None
    read_only: bool = False
    redact: Redact | None = None
    arguments_for: Role = "viewer"
    extensions: tuple[Extension, ...] = ()
    title: str = "pillion"
    environment: str = ""
    hosts: Collection[str] | None = None
    public_origin: str | None = None
    fleet: Fleet | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        _check_auth(self.auth)
        _check_callable("redact", self.redact, "a function of (job, field, value), or None")
        if self.arguments_for not in get_args(Role):
            raise ConfigError("arguments_for", f"one of {', '.join(get_args(Role))}", self.arguments_for)
        for name in ("title", "environment"):
            text: object = getattr(self, name)
            if not isinstance(text, str) or len(text) > _LONGEST_TITLE:
                raise ConfigError(name, f"a text of at most {_LONGEST_TITLE} characters", text)
        if isinstance(self.hosts, str):
            raise ConfigError("hosts", 'a list of names, such as ["jobs.example.com"]', self.hosts)
        _check_origin(self.public_origin)

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Names that we may be asked under; None for any.

        Without a login, and with a link for this machine, only this machine's own: else a page on the internet
        whose name points to 127.0.0.1 would be let in.
        """
        if self.hosts is not None:
            return frozenset(map(host_name, self.hosts))
        return LOOPBACK if self.auth is None or isinstance(self.auth, TokenLink) else None


def _check_auth(auth: Any) -> None:
    if auth is NOT_SAID:
        hint = f"{EXPECTED} auth=None lets everybody in, on this machine."
        raise ConfigError("auth", "a function that says who may come in", "nothing", hint)
    _check_callable("auth", auth, "a function of a Visitor that returns a User or None, or None for everybody")
    if auth is not None and not takes_a_visitor(auth):
        raise ConfigError("auth", "a function that can be called with one Visitor", repr(auth), EXPECTED)


def _check_callable(option: str, given: Any, expected: str) -> None:
    if given is not None and not callable(given):
        raise ConfigError(option, expected, type(given).__name__)


def _check_origin(given: object) -> None:
    if given is None:
        return
    parts = urlsplit(given) if isinstance(given, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigError("public_origin", 'what browsers show, such as "https://jobs.example.com"', given)
