"""Cookies: what one of them says, and how it is set. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args
from urllib.parse import parse_qs, urlencode

from pillion.web.request_scope import Theme

THEME: Final = "pillion_theme"
LOCALE: Final = "pillion_locale"
COMPACT: Final = "pillion_compact"
FLASH: Final = "pillion_flash"
PREFERENCES_AGE_S: Final = 365 * 24 * 3600
FLASH_AGE_S: Final = 60
_LONGEST_TARGET: Final = 100
_LONGEST_UNDO_ID: Final = 40
_MOST: Final = 2**53
_MOST_FACTS: Final = 20
# It is set again with the others, and a quoted cookie can have line ends in it.
_LOCALE: Final = re.compile(r"[A-Za-z0-9-]{1,20}")

Code = Literal["done", "nothing", "partly", "refused", "started", "failed"]


@dataclass(slots=True, frozen=True)
class Preferences:
    """How somebody wants the dashboard to look. `locale` is what they chose, "" for what their browser says."""

    theme: Theme = "auto"
    locale: str = ""
    compact: bool = False

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> Preferences:
        """What the cookies say; what they cannot say is the default."""
        theme, locale = cookies.get(THEME, "auto"), cookies.get(LOCALE, "")
        return cls(
            cast("Theme", theme if theme in get_args(Theme) else "auto"),
            locale if _LOCALE.fullmatch(locale) else "",
            cookies.get(COMPACT) == "1",
        )


@dataclass(slots=True, frozen=True)
class Note:
    """What an action did, on its way through a cookie from the POST to the page after it.

    It carries facts only; the words are those of the reader's language. `action` is the name of a route.
    """

    code: Code
    action: str
    count: int = 0
    target: str = ""
    undo_id: str = ""

    def text(self) -> str:
        """As the value of a cookie."""
        facts = {"code": self.code, "action": self.action, "count": str(self.count), "undo_id": self.undo_id}
        return urlencode({**facts, "target": self.target[:_LONGEST_TARGET]}, errors="replace")

    @classmethod
    def parse(cls, text: str, actions: Mapping[str, object]) -> Note | None:
        """The note in a cookie; None for none. Somebody else may have written it, so nothing in it is believed."""
        try:
            facts = parse_qs(text[:1000], max_num_fields=_MOST_FACTS)
        except ValueError:
            return None
        given = {name: values[-1] for name, values in facts.items()}
        code, action, count = given.get("code", ""), given.get("action", ""), given.get("count", "0")
        undo_id = given.get("undo_id", "")[:_LONGEST_UNDO_ID]
        if code not in get_args(Code) or action not in actions or not (count.isascii() and count.isdigit()):
            return None
        if not undo_id.isalnum():
            undo_id = ""
        number = min(int(count[:16]), _MOST)
        return cls(cast("Code", code), action, number, given.get("target", "")[:_LONGEST_TARGET], undo_id)


def cookie(name: str, value: str, *, root: str, secure: bool, age_s: int | None) -> str:
    """A Set-Cookie header. `age_s` None: as long as the browser runs; 0: away with it. `value` has no ; in it."""
    parts = [f"{name}={value}", f"Path={root or '/'}", "HttpOnly", "SameSite=Lax"]
    if age_s is not None:
        parts.append(f"Max-Age={age_s}")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)
