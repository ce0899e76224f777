"""`timeout_s`: how long a run of an async job may take before it is cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from pillion.definition.execution import PROCESS, is_timeout
from pillion.errors import ConfigError

TIMEOUT_S: Final = "timeout_s"

_HINT = (
    "Only an async job can be cancelled from outside: a thread cannot. Make it `async def`, or give it a process "
    'that can be killed: execution="process", hard_timeout_s={seconds!r}.'
)
_HINT_ISOLATED = "It has a process of its own: write hard_timeout_s={seconds!r}, after which that is killed."


class Declared(Protocol):
    """What is asked of a job: `JobDefinition` has it."""

    @property
    def time_limit_s(self) -> float | None:
        """What the job itself says."""
        ...


def timeout_s(definition: Declared, payload: Mapping[str, Any]) -> float | None:
    """After how many seconds this run is cancelled: as the payload says, else the job; None: never.

    What is no number of seconds is passed over: any program may have written the payload.
    """
    value = payload.get(TIMEOUT_S)
    if value is None:
        return definition.time_limit_s
    return float(value) if is_timeout(value) else None


def check_time_limit(name: str, options: Mapping[str, Any], *, is_async: bool) -> None:
    """Raise ConfigError for a `timeout_s` among the `options` of a job that could not be cancelled."""
    if is_async or TIMEOUT_S not in options:
        return
    seconds = options[TIMEOUT_S]
    hint = _HINT_ISOLATED if options.get("execution") == PROCESS else _HINT
    raise ConfigError(TIMEOUT_S, f"{name} to be `async def`", seconds, hint.format(seconds=seconds))
