"""The tables: for the terminal and for docs/benchmarks.md. Ratios first, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import spread
from bench.full.record import Record
from bench.full.roster import PILLION
from bench.full.scenario import Figure

API_CALL = Figure("ms", less_is_better=True, digits=2)


@dataclass(frozen=True)
class Table:
    """A heading, a header row, and rows of text."""

    heading: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(record: Record) -> list[Table]:
    """One for each figure of a scenario; one for all of it where only Pillion takes part or the figures are steps."""
    if not record.scenario.figures:
        return [_calls(record)]
    if len(record.scenario.who) < 3:
        return [_steps(record)]
    return [table for name in record.scenario.figures if (table := _figure(record, name)).rows]


def _figure(record: Record, figure: str) -> Table:
    about = record.scenario.figures[figure]
    if figure == "extra" and not any(sum(record.values(name, figure)) for name in record.names()):
        return Table(about.unit, [], [])  # nothing ran too often: the page says so for all
    header = ["", *["Pillion is better by"][: about.is_compared], about.unit]
    header += [f"share of the floor ({about.floor})"] if about.floor else []
    rows = [row for name in record.names() if (row := _row(record, name, figure, about))]
    return Table(about.unit, header, rows)


def _row(record: Record, name: str, figure: str, about: Figure) -> list[str]:
    values = record.values(name, figure)
    remark = record.remark(name)
    if not values:
        return [name, *[""][: about.is_compared], remark, *[""][: bool(about.floor)]] if remark else []
    ratio = [_ratio(record, name, figure, about)] if about.is_compared else []
    share = [_share(record, name, figure, about)] if about.floor else []
    return [name, *ratio, spread(values, about.digits) + (f"; {remark}" if remark else ""), *share]


def _ratio(record: Record, name: str, figure: str, about: Figure) -> str:
    pairs = record.pairs(PILLION.name, name, figure)
    ratios = [
        (theirs / ours if about.less_is_better else ours / theirs) for ours, theirs in pairs if min(ours, theirs) > 0
    ]
    return f"x {spread(ratios, 2)}" if ratios and name != PILLION.name else ""


def _share(record: Record, name: str, figure: str, about: Figure) -> str:
    shares = [100 * value / floor for value, floor in record.pairs(name, about.floor, figure) if floor]
    digits = 0 if shares and min(shares) >= 10 else 1
    return f"{spread(shares, digits)} %" if shares and name != about.floor else ""


def _steps(record: Record) -> Table:
    rows: list[list[str]] = []
    who = record.scenario.who
    figures = record.scenario.figures
    for step, about in figures.items():
        if about.row:
            continue
        ratio = [_ratio(record, name, step, about) for name in who[1:]]
        shown = [step, *(figure for figure, each in figures.items() if each.row == step)]
        cells = [_cell(record, name, figure, figures[figure]) for figure in shown for name in who]
        rows.append([step if len(who) > 1 else about.unit, *ratio, *cells])
    return Table("jobs/s", ["", *["Pillion is better by"][: len(who) - 1], *_columns(record)], rows)


def _columns(record: Record) -> list[str]:
    """Who; with the unit if there are several in a row."""
    who, figures = record.scenario.who, record.scenario.figures.values()
    units = list(dict.fromkeys(each.unit for each in figures))
    return [f"{name}, {unit}" for unit in units for name in who] if any(each.row for each in figures) else [*who]


def _cell(record: Record, name: str, figure: str, about: Figure) -> str:
    values = record.values(name, figure)
    remark = "" if about.row else record.remark(name)  # once in a row
    return spread(values, about.digits) if values else remark


def _calls(record: Record) -> Table:
    names = [name for name in record.rounds[0].get(PILLION.name, {}) if name not in ("error", "lacks")]
    rows = [[name, spread(record.values(PILLION.name, name), API_CALL.digits)] for name in names]
    remark = record.remark(PILLION.name)
    return Table("ms", ["", "slowest call, ms"], rows + ([[PILLION.name, remark]] if remark else []))


def as_text(table: Table) -> str:
    """In columns."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines if i < len(line)) for i in range(len(table.header))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  " + "  ".join(cell.ljust(min(width, 60)) for cell, width in zip(cells, widths, strict=False)).rstrip()


def as_markdown(table: Table) -> str:
    """As Markdown reads it."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
