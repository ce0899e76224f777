"""Where a request comes from: which site made the browser send it, and under which name we were asked. Pure.

Design record (5.1 of the brief, measured). On https, and on localhost, browsers say `Sec-Fetch-Site` with every
request; on plain http with another host name they do not, but POSTs have `Origin` there. So: whoever changes
something must be same-origin by the first, or by the second if the first is missing; and whoever sends
neither is no browser, and shows a bearer token, which no foreign page can make a browser add. No tokens in
forms, and no CORS headers at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def why_foreign(method: str, headers: Mapping[str, str], public_origin: str | None) -> str | None:
    """Why this request may not change anything; None if it may.

    Parameters: `headers` by lower-case name; `public_origin` is what browsers know us as, such as
    "https://ops.example.com", where a proxy hides that.
    """
    if method in SAFE_METHODS:
        return None
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in ("same-origin", "none") else f"A page of another site sent it (Sec-Fetch-Site: {site})."
    origin = headers.get("origin")
    if origin is not None:
        if _is_ours(origin, headers.get("host", ""), public_origin):
            return None
        return (
            f"A page of another origin sent it (Origin: {origin}). If that is this dashboard behind a proxy, give "
            f'app() public_origin="{origin}".'
        )
    if headers.get("authorization", "").lower().startswith("bearer "):
        return None
    return (
        "It says neither Sec-Fetch-Site nor Origin, so it is not from a browser's page. Programs send "
        "Authorization: Bearer TOKEN."
    )


def _is_ours(origin: str, host: str, public_origin: str | None) -> bool:
    if public_origin is not None and origin.lower() == public_origin.lower().rstrip("/"):
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # no browser writes such, as http://[
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and parts.netloc.lower() == host.lower()


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower().rstrip(".")


def is_known_host(host: str, allowed: Collection[str] | None) -> bool:
    """Whether we may be asked under this Host header. `allowed` None: under any.

    A page that makes its own name point to 127.0.0.1 (DNS rebinding) is same-origin to the browser, but not to us.
    """
    return allowed is None or host_name(host) in allowed
