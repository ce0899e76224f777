"""What log lines say of the job that runs and of the work around it. It lives in context variables.

Three places are put together while a record is formatted, later ones win:

1. the job this thread (or task) is running: `RUNNING` keeps its payload, and only a record that is really
   written pays for reading `class`, `jid` and so on out of it;
2. what `with_context(order=42)` added around the code that logs;
3. what the record itself carries (`elapsed` on the lines "done" and "fail").

So a line logged by the job's own code, or by a library it calls, names its job (behaviour.md 13).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token
from types import MappingProxyType
from typing import Any, Protocol

META = "meta."  # how the facts that travel with jobs begin, in payloads and in lines: see pillion.ambient
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Reader(Protocol):
    """Reads the facts out of a payload: a JobLog."""

    def context(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """All facts of a job."""
        ...

    def labels(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the facts that a text line shows."""
        ...


# The running job: who reads its facts, its payload, and what `add_context` has added.
RUNNING: ContextVar[tuple[Reader, Mapping[str, Any], Mapping[str, Any]] | None] = ContextVar(
    "pillion_log_job", default=None
)
# What a task is called in its lines, where the name of the thread would be that of many.
TASK_TID: ContextVar[str] = ContextVar("pillion_log_tid", default="")
_context: ContextVar[Mapping[str, Any]] = ContextVar("pillion_log_context", default=NOTHING)
# What `ambient.context` has set: the payload of the job it was set in (None: in none), and all facts that hold.
_carried: ContextVar[tuple[Mapping[str, Any] | None, Mapping[str, Any]] | None] = ContextVar(
    "pillion_log_carried", default=None
)


@contextmanager
def with_context(**facts: Any) -> Generator[None]:
    """Add `facts` to every line logged inside the block, by this thread or task.

    The context before the block comes back at its end, also after an exception.
    """
    token = _context.set({**_context.get(), **facts})
    try:
        yield
    finally:
        _context.reset(token)


def add_context(**facts: Any) -> None:
    """Add `facts` from here to the end of the running job; without one, of the surrounding `with_context`."""
    running = RUNNING.get()
    if running is None:
        _context.set({**_context.get(), **facts})
    else:
        reader, payload, added = running
        RUNNING.set((reader, payload, {**added, **facts}))


def adopt(ended: Context) -> None:
    """Take over what `add_context` has added in a copied context that has `ended`, for the job's further lines."""
    running = ended.get(RUNNING)
    if running is not None:
        RUNNING.set(running)


def context() -> dict[str, Any]:
    """What a line logged here and now would carry: the running job's facts, then the added ones."""
    running = RUNNING.get()
    if running is None:
        return {**carried(), **_context.get()}
    reader, payload, added = running
    return {**_as_carried(reader.context(payload), payload), **added, **_context.get()}


def payload_in(other: Context) -> Mapping[str, Any] | None:
    """The payload of the job that a task with this context runs in a worker; None if it runs in none."""
    running = other.get(RUNNING)
    return running[1] if running else None


def running_payload() -> Mapping[str, Any] | None:
    """The payload of the job that this thread (or task) runs in a worker; None outside of one."""
    running = RUNNING.get()
    return running[1] if running else None


def carried() -> Mapping[str, Any]:
    """The facts that a job pushed here takes along: those set around this code, else those the running job brought.

    They are looked up when asked for, so a job that nobody gave any costs nothing. What was set inside of one
    job is not seen by the next, whatever that job left behind.
    """
    own, payload = _carried.get(), running_payload()
    if own is not None and own[0] is payload:
        return own[1]
    return NOTHING if payload is None else meta(payload)


def carry(facts: Mapping[str, Any]) -> Token[Any]:
    """From here on, in this thread or task, `carried` answers `facts`."""
    return _carried.set((running_payload(), facts))


@contextmanager
def carrying(facts: Mapping[str, Any]) -> Generator[None]:
    """Inside the block `carried` answers `facts`, whose keys begin with META."""
    token = carry(facts)
    try:
        yield
    finally:
        _carried.reset(token)


def meta(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of a payload that travel with jobs."""
    if META not in " ".join(payload):  # asked for each line: three times as fast as looking at each key
        return NOTHING
    return {key: value for key, value in payload.items() if key.startswith(META)}


def _as_carried(facts: dict[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a job with those that travel as they hold here, not as the job came with them."""
    own = _carried.get()
    if own is None or own[0] is not payload:
        return facts
    return {**{key: value for key, value in facts.items() if not key.startswith(META)}, **own[1]}


def is_alone() -> bool:
    """Whether nobody has added to the facts that the running job began with."""
    running = RUNNING.get()
    return (running is None or not running[2]) and not _context.get() and _carried.get() is None


def labels(own: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that a text line has room for, of a record that carries `own`; it may hold others."""
    running = RUNNING.get()
    if running is None:
        return {**carried(), **_context.get(), **own}
    reader, payload, added = running
    facts, around = _as_carried(reader.labels(payload), payload), _context.get()
    return {**facts, **added, **around, **own} if added or around else {**facts, **own}
