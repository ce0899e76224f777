"""What `pillion dev` prints: each line behind the name of who said it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import BinaryIO

OURS = "dev"
_COLOURS = ("36", "33", "35", "32", "34", "96", "93", "95", "92", "94")
_GREY, _RED = "90", "31"


class Printer:
    """Prints lines of several sources, whole, from any thread.

    Parameters: `names` are all the sources there will be, for the width and the colours; `colour`: for a terminal.
    A reader that has gone away is no error here: `on_gone` is called, once, and nothing more is printed.
    """

    def __init__(self, names: Iterable[str], *, colour: bool, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stdout.buffer
        self._lock = threading.Lock()
        self._gone = False
        self.on_gone: Callable[[], object] = lambda: None
        known = list(dict.fromkeys([OURS, *names]))
        width = max(map(len, known))
        self._prefixes = {
            name: _coloured(f"{name:<{width}} |", _colour_of(place) if colour else "")
            for place, name in enumerate(known)
        }
        self._error = _RED if colour else ""

    def line(self, name: str, text: str) -> None:
        """Print one line of the source `name`."""
        whole = f"{self._prefixes[name]} {text}".rstrip() + "\n"
        with self._lock:
            if self._gone:
                return
            try:
                self._stream.write(whole.encode("utf-8", "backslashreplace"))
                self._stream.flush()
            except OSError:  # the pipe is closed, or the terminal
                self._gone = True
                self.on_gone()

    def say(self, text: str) -> None:
        """Print something of our own; each line of `text` on one of its own."""
        for line in text.splitlines():
            self.line(OURS, line)

    def complain(self, text: str) -> None:
        """Print something of our own that is not as it should be."""
        for line in text.splitlines():
            self.line(OURS, _coloured(line, self._error))


def _colour_of(place: int) -> str:
    return _GREY if place == 0 else _COLOURS[(place - 1) % len(_COLOURS)]


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text
