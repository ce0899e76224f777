"""Tables and numbers for people: drawn with rich in a terminal, plain aligned columns in a pipe.

What comes from Redis was written by anybody: it is shown without control characters, which could move
the cursor or change the colours of a terminal.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from rich.table import Table

UNKNOWN = "-"
_GAP = "  "
_LONGEST_S = 10_000 * 366 * 86_400
_UNITS_S = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
# They make a terminal show other letters than there are: in another order, beyond the cell they are in.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_KIB_OF_MIB, _KIB_OF_GIB = 1024, 1024**2


@dataclass(slots=True, frozen=True)
class Column:
    """A column of a table. Numbers are aligned to the `right`; what is to be copied is kept `whole`.

    In a narrow terminal the others are folded into several lines.
    """

    title: str
    right: bool = False
    whole: bool = False


Row = Sequence[str]


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table: with rich if standard output is a terminal, else as plain columns."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(rich_table(columns, rows))
    else:
        click.echo(plain_table(columns, rows))


def plain_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table as text: titles in capitals, columns aligned, no line has spaces at its end."""
    lines = [[column.title.upper() for column in columns], *([clean(cell) for cell in row] for row in rows)]
    widths = [max(map(_cells, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths, columns) for line in lines)


def rich_table(columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    """A table as rich draws it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        alignment: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(Text(column.title), justify=alignment, overflow="fold", no_wrap=column.right or column.whole)
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))  # Text: "[red]" in a name is no markup
    return table


# -- values ------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """`text` on one line, each control character replaced by U+FFFD, those that turn the direction of writing too."""
    return "".join(
        "�" if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in _TURNS else sign for sign in text
    )


def number(value: int) -> str:
    """1234567 -> "1,234,567"."""
    return f"{value:,}"


def jobs(count: int) -> str:
    """1 -> "1 job", 2345 -> "2,345 jobs"."""
    return f"{number(count)} {'job' if count == 1 else 'jobs'}"


def duration(seconds: float | None) -> str:
    """The two largest units: 0.25 -> "0.2s", 59 -> "59s", 3725 -> "1h 2m". None, and what is no time any more: "-"."""
    if seconds is None or not abs(seconds) < _LONGEST_S:
        return UNKNOWN
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    left, parts = int(seconds), list[str]()
    for unit, length_s in _UNITS_S:
        count, left = divmod(left, length_s)
        if count or parts:
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0"))


def memory(kib: int | None) -> str:
    """KiB for people: 26928 -> "26.3 MiB". None -> "-"."""
    if kib is None:
        return UNKNOWN
    if kib < _KIB_OF_MIB:
        return f"{kib} KiB"
    return f"{kib / _KIB_OF_MIB:.1f} MiB" if kib < _KIB_OF_GIB else f"{kib / _KIB_OF_GIB:.1f} GiB"


# -- inside ------------------------------------------------------------------------------------------


def _line(cells: Row, widths: Sequence[int], columns: Sequence[Column]) -> str:
    padded = (
        " " * (width - _cells(cell)) + cell if column.right else cell + " " * (width - _cells(cell))
        for cell, width, column in zip(cells, widths, columns, strict=True)
    )
    return _GAP.join(padded).rstrip()


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes: most Asian signs take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
