"""Backtraces: which lines are the application's, and which are of libraries. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pillion.web.data.models import TraceLine
from pillion.web.data.redaction import HIDDEN
from pillion.web.data.texts import short
from pillion.web.data.visible import Visible
from pillion.wire.backtrace import CAUSED_BY

MOST_LINES: Final = 200

# Where Python and Ruby keep what others wrote, and what comes with them; and Pillion itself.
_LIBRARY: Final = re.compile(
    r"/site-packages/|/dist-packages/|/lib/python\d|<frozen |/gems/|/lib/ruby/|/usr/lib/|<internal:"
    r"|/src/pillion/|/bin/(?:pillion|sidekiq|bundle)"
)


def is_app(line: str) -> bool:
    """Whether a line is of the application."""
    return _LIBRARY.search(line) is None


def is_heading(line: str) -> bool:
    """Whether it says whose stack comes next."""
    return line.startswith(CAUSED_BY)


def backtrace(visible: Visible) -> tuple[TraceLine, ...]:
    """The lines that may be seen, innermost first."""
    lines = visible.value("error_backtrace", visible.job.error_backtrace)
    if lines is HIDDEN or not isinstance(lines, list):
        return ()
    texts = [short(str(line), 500) for line in lines[:MOST_LINES]]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return tuple(reversed(list(_sorted_out(reversed(texts)))))


def _sorted_out(outermost_first: Iterable[str]) -> Iterator[TraceLine]:
    """A heading is folded away with its stack, if nothing of that is the application's."""
    has_own = False
    for text in outermost_first:
        own = has_own if is_heading(text) else is_app(text)
        has_own = not is_heading(text) and (has_own or own)
        yield TraceLine(text, own)


def innermost(visible: Visible) -> str:
    """The innermost line of the application; "" if none is stored."""
    return next((line.text for line in backtrace(visible) if line.is_app and not is_heading(line.text)), "")
