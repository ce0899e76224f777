"""The jobs of the interop tests, for Pillion. Those of Ruby, by the same names: ruby/jobs.rb."""

import json
import os
import time
from pathlib import Path

from pillion import IterableJob, Job
from pillion.iterable import sequence

FOLDER = Path(os.environ["INTEROP_FOLDER"])


class Broken(Exception):
    """What Flaky raises."""


class LedgerJob(Job, abstract=True):
    def note(self, event, args):
        name = type(self).__job__.wire_name
        run = {"by": "pillion", "pid": os.getpid(), "event": event, "class": name, "jid": self.jid, "args": list(args)}
        ledger = os.open(FOLDER / f"ledger-pillion-{os.getpid()}.jsonl", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(ledger, (json.dumps(run) + "\n").encode())  # one write: lines of several threads never mix
        os.close(ledger)


class Plain(LedgerJob):
    """Has its Python name on the wire."""

    def perform(self, *args):
        self.note("ran", args)


class Echo(LedgerJob, wire_name="Echo"):
    def perform(self, *args):
        self.note("ran", args)


class CompleteOrder(LedgerJob, wire_name="Orders::CompleteJob", queue="ruby", tags=["orders"]):
    def perform(self, order_id):
        self.note("ran", [order_id])


class Flaky(LedgerJob, wire_name="Flaky"):
    """Fails until the test has mended it."""

    def perform(self, key):
        if not (FOLDER / f"mended-{key}").exists():
            self.note("failed", [key])
            raise Broken(f"out of tëa ☕ {key}")
        self.note("ran", [key])


class Hold(LedgerJob, wire_name="Hold"):
    """Runs until the test opens the gate of that name."""

    def perform(self, name):
        self.note("start", [name])
        while not (FOLDER / f"gate-{name}").exists():
            time.sleep(0.01)  # the gate is a file: nothing signals it
        self.note("ran", [name])


# Classes of the Ruby programs that wrote newer_ruby.json, and the vectors of wire-format 13.
class IterJob(LedgerJob, IterableJob, wire_name="IterJob"):
    """Goes through so many items; at each whose number is a gate of this job it waits until the test opens it."""

    check_cancelled_every_s = 0.0

    def build_enumerator(self, count, *gates, cursor):
        return sequence(range(count), cursor)

    def each_iteration(self, number, count, *gates):
        self.note(f"item {number}", [count])
        while number in gates and not (FOLDER / f"gate-{self.jid}-{number}").exists():
            time.sleep(0.01)  # the gate is a file: nothing signals it

    def on_cancel(self):
        self.note("cancelled", [])

    def on_complete(self):
        self.note("complete", [])


class HardJob(LedgerJob, wire_name="HardJob"):
    def perform(self, *args):
        self.note("ran", args)


class Wrapper(LedgerJob, wire_name="Sidekiq::ActiveJob::Wrapper"):
    def perform(self, serialized):
        self.note("ran", [serialized])


class JobWrapper(LedgerJob, wire_name="ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"):
    def perform(self, serialized):
        self.note("ran", [serialized])
