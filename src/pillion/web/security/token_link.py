"""The link that `pillion web` prints: it lets the one who has it in once, and a cookie from then on."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

from pillion.errors import ConfigError
from pillion.web.roles import Role
from pillion.web.security.auth import User, Visitor

_LEAST_FIXED: Final = 20
_SESSIONS: Final = 100
# A link that was used already is opened again: a new one is printed, but not for every try of a stranger.
_RETELL_AFTER_S: Final = 10.0


class TokenLink:
    """`auth` of a dashboard that is started by hand, on this machine.

    Parameters: `user` is who comes in. `cookie` is the cookie's name: it must differ between ports, as browsers
    share cookies among them. `fixed` is a secret of at least 20 characters that works as often as one likes, in the
    link and as a bearer token. `tell` is called with each token that a link may have; `clock` is seconds that only
    grow. Raises ConfigError for a `fixed` that is too short. Safe to use from several threads.
    """

    challenge = 'Bearer realm="pillion"'
    hint = "Open the link that `pillion web` printed in its terminal. It works once; the terminal has a new one by now."

    def __init__(
        self,
        user: User,
        *,
        cookie: str,
        tell: Callable[[str], None],
        fixed: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if fixed is not None and len(fixed) < _LEAST_FIXED:
            raise ConfigError("token", f"{_LEAST_FIXED} characters or more", f"{len(fixed)} characters")
        self.user, self.cookie = user, cookie
        self._tell, self._fixed, self._clock = tell, fixed, clock
        self._lock = threading.Lock()
        self._token = secrets.token_urlsafe(32)
        self._sessions: dict[bytes, None] = {}
        self._told_at_s = clock()

    def announce(self) -> None:
        """Tell the first token: somebody listens now."""
        self._tell(self._token)

    @property
    def role(self) -> Role:
        """What the one who comes in may do."""
        return self.user.role

    def __call__(self, visitor: Visitor) -> User | None:
        """The user, by cookie or bearer token."""
        session = visitor.cookies.get(self.cookie, "")
        if session and _digest(session) in self._sessions:
            return self.user
        kind, _, token = visitor.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._fixed is not None and _same(token.strip(), self._fixed):
            return self.user
        return None

    def redeem(self, token: str) -> str | None:
        """The value of the cookie for a token of a link; None if it is wrong, or was used before."""
        with self._lock:
            once = _same(token, self._token)
            if not once and not (self._fixed is not None and _same(token, self._fixed)):
                self._renew_later()
                return None
            if once:
                self._token = secrets.token_urlsafe(32)
            session = secrets.token_urlsafe(32)
            self._sessions[_digest(session)] = None
            while len(self._sessions) > _SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            return session

    def _renew_later(self) -> None:
        now_s = self._clock()
        if now_s - self._told_at_s >= _RETELL_AFTER_S:
            self._told_at_s = now_s
            self._token = secrets.token_urlsafe(32)
            self._tell(self._token)


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode(errors="surrogateescape")).digest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(_digest(given), _digest(wanted))
