"""Pieces that every page is made of: texts, charts, pagers, the bar on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Fact: TypeAlias = str | int | float | None
Facts: TypeAlias = Mapping[str, Fact]
SetName = Literal["scheduled", "retries", "dead"]
Health = Literal["ok", "warn", "fail"]
State = Literal["scheduled", "enqueued", "running", "retrying", "dead", "held"]
View = Literal["list", "groups"]
BulkState = Literal["running", "stalled", "done", "stopped", "failed"]


@dataclass(slots=True, frozen=True)
class Shown:
    """A text that may have been cut, or hidden.

    `text` is at most 2 KB unless everything was asked for; `size_bytes` how large the whole is; `is_cut` offers
    "show all". `is_hidden`: redacted or encrypted, `text` is "" then.
    """

    text: str = ""
    size_bytes: int = 0
    is_cut: bool = False
    is_hidden: bool = False


@dataclass(slots=True, frozen=True)
class Line:
    """A line or a row of bars in a chart. `values` belong to the `times` of its chart; None is a gap."""

    name: str
    values: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        """The newest value."""
        return self.values[-1] if self.values else None


@dataclass(slots=True, frozen=True)
class Mark:
    """A deploy: a dashed line in a chart."""

    at: float
    label: str


@dataclass(slots=True, frozen=True)
class Chart:
    """Lines over one axis of time.

    `times` (epoch s) are where the buckets begin, oldest first, each `width_s` wide.
    """

    times: tuple[float, ...] = ()
    width_s: float = 60.0
    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for line in self.lines for value in line.values)


@dataclass(slots=True, frozen=True)
class Pager:
    """Pages by number, counted from 1. `first` and `last` are the numbers of the rows shown (0: none)."""

    page: int = 1
    size: int = 25
    total: int = 0

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """The number of the first row of the page; 0 if it has none."""
        start = (self.page - 1) * self.size
        return start + 1 if start < self.total else 0

    @property
    def last(self) -> int:
        """The number of the last row of the page."""
        return min(self.page * self.size, self.total)

    @property
    def has_next(self) -> bool:
        """Whether there is a page behind this one."""
        return self.page < self.pages

    @property
    def shown_pages(self) -> tuple[int | None, ...]:
        """Numbers for links, such as (1, None, 7, 8, 9, None, 481); None stands for the ones left out."""
        near = sorted({1, self.pages, *range(max(1, self.page - 2), min(self.pages, self.page + 2) + 1)})
        found: list[int | None] = []
        for number in near:
            if found and found[-1] is not None and number > found[-1] + 1:
                found.append(None)
            found.append(number)
        return tuple(found)


@dataclass(slots=True, frozen=True)
class Problem:
    """Something that kept a part of the page from being read, such as a key of a wrong type. `part` names it."""

    part: str
    code: str
    text: str
    facts: Facts = field(default_factory=dict[str, Fact])


@dataclass(slots=True, frozen=True)
class Summary:
    """The bar on every page. `enqueued` is the sum over all queues; `slots` how many jobs may run at a time."""

    processed: int = 0
    failed: int = 0
    busy: int = 0
    slots: int = 0
    processes: int = 0
    enqueued: int = 0
    scheduled: int = 0
    retries: int = 0
    dead: int = 0
    queues: int = 0
    oldest_wait_s: float = 0.0
    default_wait_s: float = 0.0


@dataclass(slots=True, frozen=True)
class Frame:
    """What every page has: the bar, when it was read (epoch s), and what could not be read.

    `has_ruby`, `has_pillion`: processes of that kind are alive. `redis_version` is such as "Redis 7.0.15" (""
    unknown).
    """

    summary: Summary
    taken_at: float
    problems: tuple[Problem, ...] = ()
    has_ruby: bool = False
    has_pillion: bool = False
    redis_version: str = ""
