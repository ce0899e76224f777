"""What has been told already: so that a state is told once, and once when it is over. No I/O.

Design record. Monitors run from cron on several machines, each run a new process, so the memory is in
Redis: one record for each alert that is on. A run reads all records, decides here what there is to
tell, and replaces each record with a compare-and-set; who wins it sends the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from pillion.errors import DecodeError
from pillion.features.health.alert import Alert
from pillion.wire import codec


@dataclass(slots=True, frozen=True)
class Telling:
    """An alert to send, and the record to remember it by; an empty one forgets it."""

    alert: Alert
    record: bytes


@dataclass(slots=True, frozen=True)
class _Record:
    alert: Alert
    told_at: float


def decide(
    known: Mapping[str, bytes],
    alerts: Sequence[Alert],
    looked_at: Callable[[Alert], bool],
    *,
    now_s: float,
    repeat_s: float,
) -> list[Telling]:
    """What is to be told now.

    Parameters: `known` is alert name to record; `alerts` is what is wrong now; `looked_at` says of an alert
    whether it would be among these if it still were so, else it is not over. What is still wrong is told
    again after `repeat_s` seconds, or when its level has risen to critical.
    """
    told = [telling for alert in alerts if (telling := _about(alert, known.get(alert.name), now_s, repeat_s))]
    wrong = {alert.name for alert in alerts}
    for name, raw in known.items():
        record = _read(raw)
        if name not in wrong and record is not None and looked_at(record.alert):
            told.append(Telling(replace(record.alert, state="recovered", at=now_s), b""))
    return told


def _about(alert: Alert, raw: bytes | None, now_s: float, repeat_s: float) -> Telling | None:
    before = _read(raw) if raw else None
    if before is None:
        return _telling(replace(alert, state="new", since=now_s, at=now_s), now_s)
    if alert.level == "critical" != before.alert.level:
        return _telling(replace(alert, state="new", since=before.alert.since, at=now_s), now_s)
    if now_s - before.told_at < repeat_s:
        return None
    return _telling(replace(alert, state="repeated", since=before.alert.since, at=now_s), now_s)


def _telling(alert: Alert, now_s: float) -> Telling:
    return Telling(alert, codec.dumps({**asdict(alert), "told_at": now_s}))


def _read(raw: bytes) -> _Record | None:
    """A record; None for what is none (then the alert counts as new)."""
    try:
        fields = codec.loads_job(raw)
        told_at = float(fields.pop("told_at"))
        return _Record(Alert(**fields), told_at)
    except (DecodeError, TypeError, KeyError, ValueError):
        return None
