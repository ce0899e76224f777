"""The state of an iterable job on the wire (wire-format 10): the hash `it-<jid>` read and written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pillion.errors import ConfigError, DecodeError
from pillion.wire import codec
from pillion.wire.strict import find_complex


@dataclass(slots=True, frozen=True)
class IterationState:
    """How far one iterable job has come.

    Attributes:
        executions: how often it was started.
        runtime_s: how long it ran until it was interrupted last, in seconds.
        cursor: the element to go on with, None for the first; a cursor that is no JSON is its text.
        cancelled_at: when it was cancelled (epoch seconds), else None.
    """

    executions: int
    runtime_s: float
    cursor: Any
    cancelled_at: int | None


def read_state(fields: Mapping[str, bytes]) -> IterationState:
    """The state as anybody may have left it: any field may be missing or damaged (wire-format 15)."""
    try:
        cursor = read_cursor(fields)
    except DecodeError:
        cursor = fields["c"].decode(errors="replace")
    cancelled = fields.get("cancelled")
    return IterationState(
        executions=_number(fields.get("ex", b"0")),
        runtime_s=_seconds(fields.get("rt", b"0")),
        cursor=cursor,
        cancelled_at=None if cancelled is None else _number(cancelled),
    )


def read_cursor(fields: Mapping[str, bytes]) -> Any:
    """The cursor alone; None where there is none yet. Raises DecodeError for what is no JSON."""
    return codec.loads(fields.get("c", b"null"))


def cursor_text(cursor: object) -> bytes:
    """A cursor as it is stored. Raises ConfigError for what would not come back as it was."""
    offender = find_complex(cursor)
    if offender is not None:
        raise ConfigError(
            "cursor",
            "plain JSON, as it is what the job goes on from after an interruption",
            offender.value,
            "Use a number or a text, such as the primary key of the item.",
        )
    return codec.dumps(cursor)


def runtime_text(runtime_s: float) -> str:
    """Seconds as Ruby writes them: `0` before the first execution has ended, else a float."""
    return repr(float(runtime_s)) if runtime_s else "0"


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _seconds(text: bytes) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
