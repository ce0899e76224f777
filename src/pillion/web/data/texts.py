"""Texts of strangers, as they can be shown: valid, of bounded length, without signs that deceive the eye. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pillion.web.data.models import Shown

MOST_CHARS: Final = 2048
# What even "show all" does not go beyond.
MOST_CHARS_OF_ALL: Final = 2_000_000

# Control characters but tab and line end, signs that turn the direction of writing, lone surrogates.
_DECEIVING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` with U+FFFD for each character that cannot be shown, or that would make a reader read something else."""
    return _DECEIVING.sub("\ufffd", text)


def short(text: str, most: int = 200) -> str:
    """A name in one line: clean, without line ends, cut with an ellipsis."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return clean(cut).replace("\n", " ").replace("\t", " ")


def shown(text: str, *, everything: bool = False) -> Shown:
    """A text as far as it is shown."""
    most = MOST_CHARS_OF_ALL if everything else MOST_CHARS
    return Shown(clean(text[:most]), len(text.encode(errors="replace")), is_cut=len(text) > most)


def cut_off(text: str, size_bytes: int) -> Shown:
    """The beginning of a text of which no more is known than its size."""
    return Shown(clean(text[:MOST_CHARS]), size_bytes, is_cut=True)


HIDDEN_TEXT: Final = Shown(is_hidden=True)


def json_text(value: Any, *, pretty: bool = False) -> str:
    """A value as JSON for a person: characters as they are, integers exact; over several lines if `pretty`."""
    return json.dumps(value, ensure_ascii=False, indent=2 if pretty else None, default=str)
