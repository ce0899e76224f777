"""assert_enqueued and assert_not_enqueued: was that job pushed? And if not, what came nearest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pillion.errors import NotTesting
from pillion.testing.drain import INLINE, name_of, names_of, which
from pillion.testing.mode import Mode
from pillion.testing.modes import current
from pillion.testing.store import Payload
from pillion.wire.timestamps import Interval, due_at

_SHOWN_AT_MOST = 10
_LONGEST_TEXT = 200


def assert_enqueued(
    job: Any,
    *args: Any,
    queue: str | None = None,
    at: Interval | None = None,
    times: int | None = None,
    within_s: float = 1.0,
) -> list[Payload]:
    """Fail unless `job` waits in fake mode, and return the payloads of those that do.

    Parameters: `job` is a job or its name; `args` are its positional arguments, compared with ==, so
    `unittest.mock.ANY` fits anything; without `args` any arguments will do. `queue`; `at` is when it is
    to run, as given to `perform_in`, give or take `within_s` seconds. `times`: exactly so many, else one
    or more. What has run already is not there any more: assert before `drain`.
    """
    wish = _Wish(job, args, queue, at, within_s)
    found = [payload for payload in wish.candidates if not wish.differences(payload)]
    if len(found) == times if times is not None else found:
        return found
    raise AssertionError(wish.explain(found, times))


def assert_not_enqueued(
    job: Any, *args: Any, queue: str | None = None, at: Interval | None = None, within_s: float = 1.0
) -> None:
    """Fail if `job` waits in fake mode. Parameters as for `assert_enqueued`.

    Raises NotTesting in inline mode, where no job ever waits: this could not fail, also if the job has run.
    """
    if _mode_of(job).name == "inline":
        raise NotTesting(INLINE)
    assert_enqueued(job, *args, queue=queue, at=at, times=0, within_s=within_s)


def _mode_of(job: Any) -> Mode:
    return current(getattr(job, "__home__", getattr(job, "home", None)))


class _Wish:
    """What a test expects of one job."""

    def __init__(self, job: Any, args: Sequence[Any], queue: str | None, at: Interval | None, within_s: float) -> None:
        mode = _mode_of(job)
        self._job, self._args, self._queue, self._within_s = job, list(args), queue, within_s
        self._now_s = mode.clock.now_s()
        self._due_s = None if at is None else due_at(at, self._now_s)
        self._queues = mode.queues
        self._is_inline = mode.name == "inline"
        wanted = which(job)
        self.candidates = [entry.payload for entry in mode.queues.waiting(wanted)]

    def differences(self, payload: Payload) -> list[str]:
        """What is not as expected, in words; empty if all is."""
        found: list[str] = []
        if self._args:
            found += _argument_differences(self._args, payload.get("args") or [])
        if self._queue is not None and payload.get("queue") != self._queue:
            found.append(f"queue is {payload.get('queue')!r}, expected {self._queue!r}")
        if self._due_s is not None:
            found += self._time_difference(payload.get("at"))
        return found

    def _time_difference(self, at: Any) -> list[str]:
        due_s = self._due_s or 0.0
        if at is None:
            if due_s <= self._now_s:  # what has come already is pushed at once
                return []
            return [f"it is to run now, expected {_moment(due_s)}"]
        off_s = at - due_s
        if abs(off_s) <= self._within_s:
            return []
        return [f"at is {_moment(at)}, expected {_moment(due_s)}: {abs(off_s):.1f} s too {_late(off_s)}"]

    def explain(self, found: Sequence[Payload], times: int | None) -> str:
        """The message of the failure: what was expected, and each job of that name with what is different."""
        wanted = "at least once" if times is None else {0: "not at all", 1: "once"}.get(times, f"{times} times")
        lines = [f"Expected {self._described()} to be enqueued {wanted}, but it was {_often(len(found))}."]
        lines += self._list_candidates()
        lines += self._list_others()
        if self._is_inline:
            lines.append(INLINE)
        return "\n".join(lines)

    def _described(self) -> str:
        args = ", ".join(_text(arg) for arg in self._args) if self._args else "..."
        place = "" if self._queue is None else f" in queue {self._queue!r}"
        moment = "" if self._due_s is None else f" at {_moment(self._due_s)}"
        return f"{name_of(self._job)}({args}){place}{moment}"

    def _list_candidates(self) -> list[str]:
        if not self.candidates:
            return [f"No {name_of(self._job)} is enqueued."]
        lines = [f"Enqueued {name_of(self._job)}:"]
        nearest = sorted(self.candidates, key=lambda payload: len(self.differences(payload)))
        for payload in nearest[:_SHOWN_AT_MOST]:
            given: list[Any] = payload.get("args") or []
            args = ", ".join(_text(arg) for arg in given)
            at = f", at {_moment(payload['at'])}" if "at" in payload else ""
            lines.append(f"  ({args}) in queue {payload.get('queue')!r}{at}")
            lines += [f"      - {difference}" for difference in self.differences(payload)]
        hidden = len(nearest) - _SHOWN_AT_MOST
        return [*lines, f"  ... and {hidden} more"] if hidden > 0 else lines

    def _list_others(self) -> list[str]:
        lines: list[str] = []
        wanted = {id(payload) for payload in self.candidates}
        others = [payload["class"] for payload in self._queues.jobs if id(payload) not in wanted]
        if others:
            counts = ", ".join(f"{name} ({others.count(name)})" for name in dict.fromkeys(others))
            lines.append(f"Other jobs that are enqueued: {counts}.")
        names = names_of(self._job)
        ran = sum(1 for payload in self._queues.ran if names & {payload.get("class"), payload.get("wrapped")})
        if ran:
            lines.append(f"{ran} of {name_of(self._job)} have been run and are not enqueued any more.")
        return lines


def _argument_differences(expected: list[Any], came: list[Any]) -> list[str]:
    if expected == came:
        return []
    found = [
        f"args[{index}] is {_text(value)}, expected {_text(wanted)}"
        for index, (wanted, value) in enumerate(zip(expected, came, strict=False))
        if wanted != value
    ]
    if len(expected) != len(came):
        found.append(f"it has {len(came)} arguments, expected {len(expected)}")
    return found + _hint(expected)


def _hint(expected: list[Any]) -> list[str]:
    """Arguments that no job can have: what is compared has been through JSON."""
    odd = next((value for value in expected if type(value) in (tuple, set, bytes)), None)
    return [] if odd is None else [f"{_text(odd)} cannot come out of JSON: expect what the job gets"]


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."


def _moment(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(sep=" ", timespec="seconds")


def _late(off_s: float) -> str:
    return "late" if off_s > 0 else "early"


def _often(count: int) -> str:
    return {0: "not", 1: "once"}.get(count, f"{count} times")
