"""Names in addresses: every queue, class or process gets a path that survives browsers and proxies. Pure.

Design record. Ruby lets a queue have any name: `..`, `a/b`, an empty one. Percent signs do not help, as
WSGI, proxies and browsers decode `%2F` and resolve `%2e%2e` before we see them. So what they would
touch is written as `~` and two hexadecimal digits, and the rest is quoted as usual. The empty name is `~`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f/\\%~;]")
_ESCAPED: Final = re.compile(r"~([0-9A-F]{2})")
_PLACE: Final = re.compile(r"\{(\w+)\}")


def segment(name: str) -> str:
    """`name` as one segment of a path, quoted."""
    if not name:
        return "~"
    escaped = _UNSAFE.sub(lambda found: f"~{ord(found[0]):02X}", name)
    if set(name) == {"."}:  # a browser resolves . and ..
        escaped = escaped.replace(".", "~2E")
    return quote(escaped, safe="~:", errors="surrogateescape")


def unsegment(text: str) -> str:
    """The name of a segment that the server has unquoted already."""
    return "" if text == "~" else _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def quoted(path: str) -> str:
    """A path that the server has unquoted, as it is written in an address."""
    return quote(path, safe="/~:", errors="surrogateescape")


def safe_back(wanted: str) -> str:
    """`wanted`, if it is a path below the mount; else "/". It comes from a form: nothing may lead to another site."""
    is_path = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_path and wanted.isprintable() else "/"


def places(pattern: str) -> tuple[str, ...]:
    """The names in `/queues/{queue}/pause`."""
    return tuple(_PLACE.findall(pattern))


def fill(pattern: str, values: dict[str, str]) -> str:
    """The path of a pattern. Raises KeyError for a place without a value."""
    return _PLACE.sub(lambda found: segment(values[found[1]]), pattern)


def matcher(pattern: str) -> re.Pattern[str]:
    """What matches the paths of a pattern; each place is one segment."""
    parts = _PLACE.split(pattern)
    regex = "".join(re.escape(part) if at % 2 == 0 else f"(?P<{part}>[^/]+)" for at, part in enumerate(parts))
    return re.compile(regex)
