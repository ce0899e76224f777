"""How far a run is, and how long it will take: a line that moves, or a clock beside each result."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Clock:
    """Counts the seconds that runs were expected to take, and stretches what is left by how long they took."""

    def __init__(self, expected_s: float) -> None:
        self.expected_s, self.done_s = expected_s, 0.0
        self._began = time.monotonic()

    def left_s(self) -> float:
        """Seconds until the end, by what was seen; by the plan while little was seen."""
        spent = time.monotonic() - self._began
        pace = spent / self.done_s if self.done_s > 0.05 * self.expected_s else 1.0
        return max(0.0, self.expected_s - self.done_s) * pace

    def share(self) -> float:
        """What part is done, 0 to 1."""
        return min(1.0, self.done_s / self.expected_s) if self.expected_s else 1.0


class Screen:
    """Says what is measured, and what came out."""

    def __init__(self, expected_s: float) -> None:
        self._clock = Clock(expected_s)
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        what, left = TextColumn("{task.description}"), TextColumn("{task.fields[left]}")
        columns = (what, BarColumn(), TimeElapsedColumn(), left)
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=1.0, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        self._console.print(f"bench: about {minutes(self._clock.expected_s)}")
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()

    def now(self, what: str) -> None:
        """What is measured next."""
        left = f"{minutes(self._clock.left_s())} left"
        self._bar.update(self._task, completed=self._clock.share(), description=what, left=left)

    def done(self, expected_s: float, line: str) -> None:
        """One run is over; `line` says what came out."""
        self._clock.done_s += expected_s
        clock = f"[{100 * self._clock.share():3.0f} %, {minutes(self._clock.left_s())} left]"
        self._console.print(line if self._console.is_terminal else f"{clock} {line}", markup=False)


def minutes(seconds: float) -> str:
    """As a clock says it."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
