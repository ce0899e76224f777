"""One iterable job without Redis: its state in memory, its clock in the hands of the test."""

from __future__ import annotations

import pytest

from pillion.errors import Interrupted, RedisUnavailable
from pillion.iterable.drive import drive
from pillion.iterable.enumerators import sequence
from pillion.iterable.iteration import Iteration, Pace
from pillion.storage.ops.iteration import Flushed

HOOKS = ("start", "resume", "stop", "cancel", "complete")


class Memory:
    """The state of one job, as Redis keeps it; `flushes` are what was saved, in order."""

    def __init__(self):
        self.fields = {}
        self.flushes = []
        self.looks = 0
        self.broken = False
        self.overtaken = False

    def load(self):
        return dict(self.fields)

    def flush(self, executions, cursor, runtime):
        if self.broken:
            raise RedisUnavailable("gone")
        if self.overtaken:
            return Flushed(False, None)
        self.fields |= {"ex": str(executions).encode(), "c": cursor, "rt": runtime.encode()}
        self.flushes.append((executions, cursor.decode(), runtime))
        return Flushed(True, self._cancelled())

    def cancelled_at(self):
        self.looks += 1
        if self.broken:
            raise RedisUnavailable("gone")
        return self._cancelled()

    def cancel(self, now_s):
        if self.broken:
            raise RedisUnavailable("gone")
        self.fields.setdefault("cancelled", str(now_s).encode())
        return self._cancelled()

    def forget(self):
        if self.broken:
            raise RedisUnavailable("gone")
        self.fields.clear()

    def _cancelled(self):
        return int(self.fields["cancelled"]) if "cancelled" in self.fields else None


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class TenItems:
    """A job with ten items. `at` maps an item to what happens while it is processed."""

    interrupted = False

    def __init__(self, **at):
        self.at = {int(name[1:]): action for name, action in at.items()}
        self.done = []
        self.calls = dict.fromkeys(HOOKS, 0)
        self.iteration = None

    def build_enumerator(self, *args, cursor):
        return sequence(range(10), cursor)

    def each_iteration(self, item, *args):
        self.done.append(item)
        if item in self.at:
            self.at[item](self)

    def on_start(self):
        self.calls["start"] += 1

    def on_resume(self):
        self.calls["resume"] += 1

    def on_stop(self):
        self.calls["stop"] += 1

    def on_cancel(self):
        self.calls["cancel"] += 1

    def on_complete(self):
        self.calls["complete"] += 1

    @property
    def counts(self):
        return [self.calls[name] for name in HOOKS]


def stop(job):
    job.interrupted = True


def fail(job):
    raise ValueError("no")


class Run:
    """Executions of one job, one after the other, on one state and one clock."""

    def __init__(self, job, **pace):
        self.job, self.memory, self.clock = job, Memory(), Clock()
        self.pace = Pace(**pace)

    def __call__(self, *args, around=None):
        self.job.interrupted = False
        iteration = self.job.iteration = Iteration(
            self.job, args, self.memory, self.pace, around, clock_s=self.clock, now_s=lambda: 1000.5
        )
        drive(iteration.steps())
        return iteration

    def interrupted(self, *args):
        with pytest.raises(Interrupted):
            self(*args)
