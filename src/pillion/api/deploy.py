"""Deploy: marks in time, so that a chart can show what a deploy changed (behaviour 22, wire-format 9).

Sidekiq's dashboards show the marks that Pillion sets, and the other way round.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.errors import ConfigError
from pillion.storage.ops import metrics as ops
from pillion.wire import rollup

GIT_TIMEOUT_S = 10.0


@dataclass(slots=True, frozen=True)
class Mark:
    """One deploy. `at` is the epoch second its minute began at; `bucket` the ISO time its bucket in a chart begins."""

    at: float
    label: str
    bucket: str


class Deploy:
    """The deploy marks of a fleet. Call it from the script that deploys, not from every process it starts.

    Parameters: `fleet` says which Redis; without it, the one that this process pushes to.
    """

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call("SET", "MULTI", "HSETNX", "EXPIRE", "EXEC", cost="O(1)", trips="1 to 2")
    def mark(self, label: str | None = None, at: float | datetime | None = None) -> Plan[bool]:
        """Mark a minute as that of a deploy.

        Parameters: `label` is what charts show; without it, hash and subject of the last commit of the git
        repository in the working directory. `at` is the moment as epoch seconds or a datetime with its
        time zone; without it, now. Returns True if this call has set the mark: the same label counts once
        in 60 seconds, and of a minute the first label stays. Raises ConfigError for a label or a moment that
        cannot be, or if git has none to give.
        """
        name = git_label() if label is None else _label(label)
        at_s = self.fleet.clock() if at is None else _moment(at)
        stamp = rollup.label(at_s, rollup.MINUTE_S)
        if not (yield from ask(ops.claim_mark(name, stamp))):
            return False
        (day,) = rollup.days(at_s, at_s)
        was_set, _ = yield from ask_all(ops.set_mark(day, stamp, name), atomic=True)
        return bool(was_set)

    @call("HGETALL", cost="O(N), N = deploys of the day")
    def marks(self, day: date | None = None) -> Plan[list[Mark]]:
        """The deploys of a UTC day, oldest first; without `day`, of today. They are kept for 90 days."""
        (today,) = rollup.days(self.fleet.clock(), self.fleet.clock())
        reply = yield from ask(ops.marks(today if day is None else day))
        return read_marks([reply], rollup.MINUTE_S)


def read_marks(replies: Sequence[Sequence[bytes]], bucket_s: int) -> list[Mark]:
    """The marks in the replies to `ops.marks`, oldest first. What has no time that can be read is left out."""
    found: list[Mark] = []
    for reply in replies:
        for stamp, label in zip(reply[::2], reply[1::2], strict=True):
            at_s = rollup.read_label(stamp.decode(errors="replace"))
            if at_s is not None:
                found.append(Mark(at_s, label.decode(errors="replace"), rollup.label(at_s, bucket_s)))
    return sorted(found, key=lambda mark: mark.at)


def git_label(folder: Path | None = None) -> str:
    """Short hash and subject of the last commit in `folder`, by default the working directory. Raises ConfigError."""
    command = ["git", "log", "-1", "--format=%h %s"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=GIT_TIMEOUT_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as exc:
        said = getattr(exc, "stderr", None) or str(exc).encode()
        reason = said.decode(errors="replace").strip().splitlines()[0]
        hint = "Say what was deployed, such as a version, or call it inside the git repository of the app."
        raise ConfigError("label", "a label, or a git repository with a commit", reason, hint) from None
    return done.stdout.decode(errors="replace").strip()


def _label(label: object) -> str:
    if isinstance(label, str) and label.strip():
        return label.strip()
    raise ConfigError("label", "text that says what was deployed", label, 'Example: "v1.4.2".')


def _moment(at: object) -> float:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ConfigError("at", "a datetime with its time zone", at, "Example: datetime.now(UTC).")
        return at.timestamp()
    if not isinstance(at, int | float) or isinstance(at, bool) or not math.isfinite(at):
        raise ConfigError("at", "epoch seconds or a datetime with its time zone", at)
    try:
        datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigError("at", "epoch seconds of a year from 1 to 9999", at, "Are they milliseconds?") from None
    return float(at)
