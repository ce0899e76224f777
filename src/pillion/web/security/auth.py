"""Who asks: the functions that an application gives as `auth`, and ready-made ones.

def who(visitor: Visitor) -> User | None:
    person = my_session(visitor.cookies)
    return User(person.email, "admin" if person.is_staff else "viewer") if person else None

app(auth=who)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from starlette.requests import cookie_parser

from pillion.errors import ConfigError
from pillion.web.errors import Refusal, TooManyAttempts
from pillion.web.roles import Role
from pillion.web.security.backoff import Backoff
from pillion.web.threads import Threads

log = logging.getLogger("pillion.web")

# For errors and logs: what a function given as `auth` has to be.
EXPECTED: Final = (
    "Expected a function of one Visitor (method, path, headers, cookies, address, scope, environ) that returns "
    'User(name, "viewer", "operator" or "admin"), or None for a stranger; it may be async.'
)
_LONGEST_NAME: Final = 200
_LEAST_TOKEN: Final = 20


@dataclass(slots=True, frozen=True)
class User:
    """Somebody who may come in. `name` stands in the audit log; `role` is "viewer", "operator" or "admin".

    Raises ConfigError for anything else.
    """

    name: str
    role: Role

    def __post_init__(self) -> None:
        name = cast("object", self.name)
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise ConfigError("User.name", f"a text of 1 to {_LONGEST_NAME} characters", name)
        if self.role not in get_args(Role):
            raise ConfigError("User.role", f"one of {', '.join(get_args(Role))}", self.role)


@dataclass(slots=True, frozen=True)
class Visitor:
    """Who asks, as far as the request tells: what a function given as `auth` decides by.

    `headers` are by lower-case name. `address` is that of the other end of the connection: behind a proxy, the
    proxy's; never decide by it. `scope` is the ASGI scope, with what middleware of the host put there (`session`,
    `user`, `django_request`); `environ` is the WSGI environ in a WSGI host, else None.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    address: str
    scope: Mapping[str, Any] = field(repr=False)
    environ: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        return cookies_of(self.headers.get("cookie", ""))


Answer = User | None
Auth = Callable[[Visitor], Answer | Awaitable[Answer]]

# `auth=None` was spelled out: whoever reaches the dashboard may do everything.
EVERYBODY: Final = User("anyone", "admin")


def cookies_of(header: str) -> dict[str, str]:
    """The cookies of a Cookie header; a broken one of another application does not hide ours."""
    return dict(cookie_parser(header))


async def identify(auth: Auth | None, visitor: Visitor, threads: Threads) -> User:
    """Who it is. A function that is not async is called in a thread, as it may ask a database.

    Raises Refusal if nobody, with the challenge that `auth` has as an attribute, such as basic_auth's. If it raises,
    or answers something else than a User or None (True would say nothing of the role), that is a Refusal too, which
    says nothing; the log says what was expected. TooManyAttempts goes through.
    """
    if auth is None:
        return EVERYBODY
    try:
        answer = await _answer(auth, visitor, threads)
    except (Refusal, TooManyAttempts):
        raise
    except Exception as error:
        log.exception("auth: %s raised %s on %s. %s", _name(auth), type(error).__name__, visitor.path[:100], EXPECTED)
        raise _broken() from error
    if isinstance(answer, User):
        return answer
    if answer is None or answer is False:
        raise _unknown(auth)
    # Only its type: it may be an account with a password in it.
    log.error("auth: %s returned a value of type %s. %s", _name(auth), type(answer).__name__, EXPECTED)
    raise _broken()


async def _answer(auth: Auth, visitor: Visitor, threads: Threads) -> object:
    asks_loop = inspect.iscoroutinefunction(auth) or inspect.iscoroutinefunction(getattr(auth, "__call__", None))  # noqa: B004
    answer: object = auth(visitor) if asks_loop else await threads.run(auth, visitor)
    return await answer if inspect.isawaitable(answer) else answer


def takes_a_visitor(auth: Auth) -> bool:
    """Whether it can be called with one argument, as far as that can be known before it is."""
    try:
        signature = inspect.signature(auth)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


def _name(auth: Auth) -> str:
    named = auth if hasattr(auth, "__qualname__") else type(auth)
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"


def _broken() -> Refusal:
    return Refusal("broken", "The function that says who you are has failed. The log of this process says how.")


def _unknown(auth: Auth) -> Refusal:
    challenge = cast("str | None", getattr(auth, "challenge", None))
    detail = cast("str", getattr(auth, "hint", "")) or "You are not known here. Log in to the application first."
    headers = (("www-authenticate", challenge),) if challenge else ()
    return Refusal("unauthorized", detail, headers)


# -- ready-made ----------------------------------------------------------------------------------------


class BasicAuth:
    """Names and passwords, asked for by the browser. `users` is name to (password, role). Use it on https only."""

    challenge = 'Basic realm="pillion", charset="UTF-8"'
    hint = "Log in with a name and a password of this dashboard."

    def __init__(self, users: Mapping[str, tuple[str, Role]], backoff: Backoff | None = None) -> None:
        if not users:
            raise ConfigError("users", "at least one name with (password, role)", dict(users))
        for name, (password, _) in users.items():
            if not password or ":" in name:
                raise ConfigError("users", "names without a colon, and passwords that are not empty", name)
        self._users = {name: (_digest(password), User(name, role)) for name, (password, role) in users.items()}
        self._backoff = backoff or Backoff()

    def __call__(self, visitor: Visitor) -> User | None:
        """The user, or None. Raises TooManyAttempts."""
        given = _credentials(visitor.headers.get("authorization", ""))
        if given is None:
            return None
        name, password = given
        self._backoff.check(name)
        digest, user = self._users.get(name, (b"", None))
        passed = hmac.compare_digest(digest, _digest(password)) and user is not None
        self._backoff.note(name, passed=passed)
        return user if passed else None


class BearerTokens:
    """Programs: `tokens` is a secret of at least 20 characters to the User it stands for."""

    challenge = 'Bearer realm="pillion"'
    hint = "Send Authorization: Bearer TOKEN."

    def __init__(self, tokens: Mapping[str, User]) -> None:
        if not tokens or min(map(len, tokens)) < _LEAST_TOKEN:
            # The token itself stays out of the message: that ends in logs.
            got = f"one of {min(map(len, tokens))} characters" if tokens else "none"
            raise ConfigError(
                "tokens",
                f"at least one, each of {_LEAST_TOKEN} characters or more",
                got,
                'To make one: python -c "import secrets; print(secrets.token_urlsafe())"',
            )
        self._users = [(_digest(token), user) for token, user in tokens.items()]

    def __call__(self, visitor: Visitor) -> User | None:
        """The user, or None."""
        kind, _, token = visitor.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        wanted = _digest(token.strip())
        found = [user for digest, user in self._users if hmac.compare_digest(digest, wanted)]
        return found[0] if found else None


class FirstOf:
    """The first of several that knows the visitor: `FirstOf(my_session, BearerTokens({...}))`. None may be async."""

    def __init__(self, *auths: Callable[[Visitor], User | None]) -> None:
        if not auths:
            raise ConfigError("auths", "at least one function", auths)
        self._auths = auths
        challenges = [challenge for auth in auths if (challenge := getattr(auth, "challenge", None))]
        self.challenge: str | None = challenges[0] if challenges else None
        self.hint: str = next((hint for auth in auths if (hint := getattr(auth, "hint", ""))), "")

    def __call__(self, visitor: Visitor) -> User | None:
        """The user, or None."""
        return next((user for auth in self._auths if (user := auth(visitor)) is not None), None)


def _digest(secret: str) -> bytes:
    """Of equal length for all secrets, so that comparing tells nothing of theirs."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def _credentials(header: str) -> tuple[str, str] | None:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name[:_LONGEST_NAME], password) if colon else None
