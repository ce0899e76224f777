"""The languages of the dashboard: which one a request gets, and its texts.

Design record. A language is one file, `locales/<code>.json`: what it is called, how it writes, its plural rule
and its texts by key. English is complete; another may leave keys out, and then shows the English text.
Texts are plain: no markup, no code. A placeholder is `{name}`; whatever comes in its place is a value and never
read as a format, so a hostile value stays what it is. A text with plural forms is an object of forms
(`one`, `few`, `other`, ... as Unicode CLDR names them), chosen by the placeholder `n`, or by the one that `by` names.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, Literal

from markupsafe import Markup, escape

ENGLISH: Final = "en"
Forms = Mapping[str, str]
Text = str | Forms

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_RANGE: Final = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")
# More languages than this in one header are noise or an attack.
_RANGES_READ: Final = 20


# -- plural rules (CLDR, for whole numbers and for others) ---------------------------------------------


def _one_other(n: float) -> str:
    return "one" if n == 1 else "other"


def _french(n: float) -> str:
    return "one" if 0 <= n < 2 else "other"


def _no_forms(_n: float) -> str:
    return "other"


def _arabic(n: float) -> str:
    if n != int(n):
        return "other"
    if n in (0, 1, 2):
        return ("zero", "one", "two")[int(n)]
    rest = int(n) % 100
    return "few" if 3 <= rest <= 10 else "many" if rest >= 11 else "other"


PLURALS: Final[Mapping[str, Callable[[float], str]]] = {
    "one-other": _one_other,
    "french": _french,
    "none": _no_forms,
    "arabic": _arabic,
}
PLURAL_FORMS: Final[Mapping[str, frozenset[str]]] = {
    "one-other": frozenset({"one", "other"}),
    "french": frozenset({"one", "other"}),
    "none": frozenset({"other"}),
    "arabic": frozenset({"zero", "one", "two", "few", "many", "other"}),
}


# -- one language --------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Locale:
    """One language; call it for a text: `t("queues.title")`, `t("jobs", n=5)`.

    `code` is such as "de" (BCP 47), `name` what its speakers call it, `direction` "ltr" or "rtl". `group` and `decimal`
    stand in numbers, `plural` names its rule (see `PLURALS`). `fallback` has the texts that this one lacks.
    """

    code: str
    name: str
    direction: Literal["ltr", "rtl"]
    group: str
    decimal: str
    plural: str
    texts: Mapping[str, Text]
    fallback: Locale | None = field(default=None, repr=False)

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key with `values` in its places.

        Numbers are written as the language does. If a value is markup, so is the result, all else in it escaped.
        Raises KeyError for a key or a placeholder that does not exist: a template is wrong then.
        """
        text = self.texts.get(key)
        if text is None:
            if self.fallback is None:
                raise KeyError(f"no text {key!r} in {self.code}.json")
            return self.fallback(key, **values)
        return _filled(
            text if isinstance(text, str) else self._form(text, values[text.get("by", "n")]), values, self.number
        )

    def has(self, key: str) -> bool:
        """Whether there is such a text, here or in the fallback."""
        return key in self.texts or (self.fallback is not None and self.fallback.has(key))

    def say(self, key: str, facts: Mapping[str, Any], otherwise: str) -> str:
        """The text of a key that comes from data; `otherwise` if there is none, or it asks for other facts."""
        try:
            return self(key, **facts)
        except KeyError:
            return otherwise

    def number(self, value: float) -> str:
        """A number in full: `12,480`, or `0.3` with as many digits as it has, up to three."""
        if not math.isfinite(value):
            return str(value)
        if value == int(value):
            return f"{int(value):,}".replace(",", self.group)
        whole, _, part = f"{value:,.3f}".rstrip("0").partition(".")
        return whole.replace(",", self.group) + (self.decimal + part if part else "")

    def _form(self, forms: Forms, n: object) -> str:
        number = n if isinstance(n, int | float) else 0
        return forms.get(PLURALS[self.plural](number), forms["other"])


def _filled(text: str, values: Mapping[str, Any], number: Callable[[float], str]) -> str:
    if "{" not in text:
        return text
    marked = any(hasattr(value, "__html__") for value in values.values())

    def shown(value: object) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = number(value)
        return str(escape(value)) if marked else str(value)

    pieces = _PLACEHOLDER.split(text)
    filled = [shown(values[piece]) if odd % 2 else shown(piece) for odd, piece in enumerate(pieces)]
    return Markup("".join(filled)) if marked else "".join(filled)  # noqa: S704 - every piece is escaped above


# -- all languages -------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Locales:
    """All languages, by code; English first."""

    by_code: Mapping[str, Locale]

    @classmethod
    def load(cls) -> Locales:
        """Read the files that come with the package."""
        folder = resources.files(__package__ or "pillion.web") / "locales"
        files = sorted((item for item in folder.iterdir() if item.name.endswith(".json")), key=lambda item: item.name)
        read = [json.loads(item.read_text(encoding="utf-8")) for item in files]
        english = next(_locale(one) for one in read if one["code"] == ENGLISH)
        others = [_locale(one, english) for one in read if one["code"] != ENGLISH]
        return cls({locale.code: locale for locale in (english, *others)})

    def choose(self, wanted: str = "", accept_language: str = "") -> Locale:
        """The language of a request: the one it names itself, else the best of the browser's, else English.

        Parameters: `wanted` is a code such as from a cookie, `accept_language` the header. Both may be anything.
        """
        for code in (wanted, *_ranked(accept_language)):
            found = self.by_code.get(code) or self.by_code.get(code.partition("-")[0])
            if found is not None:
                return found
        return self.by_code[ENGLISH]


def _ranked(header: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first."""
    found = [_RANGE.fullmatch(part) for part in header.split(",", _RANGES_READ)[:_RANGES_READ]]
    ranges = [(float(match[2] or 1), match[1].lower()) for match in found if match]
    return [code for weight, code in sorted(ranges, key=lambda pair: -pair[0]) if weight > 0]


def _locale(read: Mapping[str, Any], fallback: Locale | None = None) -> Locale:
    facts = {name: read[name] for name in ("code", "name", "direction", "group", "decimal", "plural", "texts")}
    return Locale(**facts, fallback=fallback)
