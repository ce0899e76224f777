"""Headers that every answer has: what the browser must not do with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# Nothing is inline, so neither nonce nor hash is needed; what a template lets slip in cannot run. Scripts
# put text into the page through the one policy `pillion`.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types pillion"
)
KEEP_FOR_EVER: Final = "public, max-age=31536000, immutable"

Header = tuple[bytes, bytes]

_SECURE: Final[tuple[Header, ...]] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final[Header] = (b"cache-control", b"no-store")


def secured(headers: Iterable[Header]) -> list[Header]:
    """The headers of an answer with ours; `Cache-Control` is `no-store` unless the answer says otherwise."""
    ours = {name for name, _ in _SECURE}
    kept = [(name, value) for name, value in headers if name.lower() not in ours]
    cached = any(name.lower() == b"cache-control" for name, _ in kept)
    return [*kept, *_SECURE, *(() if cached else (_NO_STORE,))]
