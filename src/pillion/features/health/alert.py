"""Alert: one number that is not as it should be, and what is sent of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pillion.errors import PillionError

State = Literal["new", "repeated", "recovered"]
AlertLevel = Literal["warning", "critical"]

NO_PROCESSES = "no_processes"
QUEUE_SIZE = "queue_size_warning"
QUEUE_LATENCY = "queue_latency_warning"
FAILURES = "high_failure_rate"
MEMORY = "redis_memory_warning"
CLIENTS = "redis_clients_warning"
LATENCY = "redis_latency_warning"
UNREACHABLE = "redis_unreachable"
PROBE = "probe"


class HealthError(PillionError):
    """An alert, as an exception: what error handlers are called with."""


@dataclass(slots=True, frozen=True)
class Alert:
    """What is wrong: `kind` and `subject` say with what (a queue, a job class; "" for the whole).

    `value` is what was measured, `threshold` what it was compared with; `message` is for people.
    `state` is "new", "repeated" (it has been so for `repeat_s`) or "recovered"; `since` and `at` are epoch
    seconds: when it was seen first, and now.
    """

    kind: str
    subject: str
    value: float
    threshold: float
    message: str
    level: AlertLevel = "warning"
    state: State = "new"
    since: float = 0.0
    at: float = 0.0

    @property
    def name(self) -> str:
        """What it is known by: `queue_size_warning:mail`."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind

    @property
    def text(self) -> str:
        """The message for people; it says so if this is over."""
        if self.state == "recovered":
            return f"recovered, after {self.at - self.since:.0f} s: {self.message}"
        return f"still: {self.message}" if self.state == "repeated" else self.message

    def payload(self) -> dict[str, Any]:
        """What sinks send: the fields, `name` and `text`, times as ISO text too."""
        iso = {f"{name}_iso": _iso(getattr(self, name)) for name in ("since", "at")}
        return {"name": self.name, "text": self.text, **asdict(self), **iso}


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
