"""Task dump: what each task of the event loop waits for, for SIGTTIN. The twin of `thread_dump`."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

NAMED = 5  # of tasks that wait at the same place so many are named


@dataclass(slots=True, frozen=True)
class TaskView:
    """A task: the job class or coroutine it belongs to, what tells it from others of that name, and its coroutine."""

    name: str
    detail: str
    coroutine: Any


def describe_tasks(tasks: Iterable[TaskView]) -> list[str]:
    """One text for all tasks of one name that wait at the same place: who, then the stack, outermost call first."""
    places: dict[tuple[str, str], list[str]] = {}
    for task in tasks:
        places.setdefault((task.name, stack_of(task.coroutine)), []).append(task.detail)
    return [f"{_heading(name, details)}\n{stack}" for (name, stack), details in places.items()]


def stack_of(awaited: Any) -> str:
    """The chain of coroutines from `awaited` to what it waits for in the end; the line of each."""
    lines = [line for frame in _frames(awaited) for line in traceback.format_stack(frame, limit=1)]
    return "".join(lines).rstrip() or "<no stack available>"


def _frames(awaited: Any) -> Iterator[FrameType]:
    seen: set[int] = set()
    while awaited is not None and id(awaited) not in seen:
        seen.add(id(awaited))
        frame, inner = _look_into(awaited)
        if frame is not None:
            yield frame
        awaited = inner


def _look_into(awaited: Any) -> tuple[FrameType | None, Any]:
    """The frame of a coroutine, generator or async generator, and what it awaits. Other awaitables show neither."""
    for prefix, next_name in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
        frame = getattr(awaited, f"{prefix}_frame", None)
        if isinstance(frame, FrameType):
            return frame, getattr(awaited, next_name, None)
    return None, None


def _heading(name: str, details: list[str]) -> str:
    if len(details) == 1:
        return f"Task {name} {details[0]}"
    more = f" and {len(details) - NAMED} more" if len(details) > NAMED else ""
    return f"{len(details)} tasks {name}: {', '.join(details[:NAMED])}{more}"
