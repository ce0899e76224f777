"""Where a job runs: in the worker itself, or in a process of its own (F066)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from pillion.errors import ConfigError
from pillion.wire.options import MAX_RETRY_FOR_S

Execution = Literal["thread", "process"]

THREAD: Final = "thread"
PROCESS: Final = "process"


class Declared(Protocol):
    """What is asked of a job: `JobDefinition` has it."""

    @property
    def execution(self) -> str:
        """What the job itself says."""
        ...

    @property
    def own_options(self) -> dict[str, Any]:
        """The options of the job, by their names on the wire."""
        ...


def isolates(definition: Declared, payload: Mapping[str, Any]) -> bool:
    """Whether this run belongs into a child process: what the payload says counts, else what the job says.

    Words that mean nothing here are passed over: any program may have written the payload.
    """
    word = payload.get("execution")
    if word in (PROCESS, THREAD):
        return bool(word == PROCESS)
    return definition.execution == PROCESS


def hard_timeout_s(definition: Declared, payload: Mapping[str, Any]) -> float | None:
    """After how many seconds the child of this run is killed: as the payload says, else the job; None: never."""
    for value in (payload.get("hard_timeout_s"), definition.own_options.get("hard_timeout_s")):
        if is_timeout(value):
            return float(value)  # type: ignore[arg-type]  # is_timeout has looked
    return None


def is_timeout(value: object) -> bool:
    """Whether this is a number of seconds that something can last."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_RETRY_FOR_S


def combined(inherited: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `inherited` options. Raises ConfigError for a hard timeout of what is not in a process of its own.

    A thread cannot be killed, so there it would be a promise that nobody keeps. A job that goes back to
    `execution="thread"` leaves the hard timeout of its base behind.
    """
    options = {**inherited, **given}
    if options.get("execution", THREAD) == PROCESS or "hard_timeout_s" not in options:
        return options
    if "hard_timeout_s" in given:
        hint = 'Add execution="process". For an async job, timeout_s cancels it at its next await.'
        raise ConfigError("hard_timeout_s", 'execution="process" beside it', given["hard_timeout_s"], hint)
    del options["hard_timeout_s"]
    return options
