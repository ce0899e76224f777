"""HealthMonitor: looks at a fleet and tells when something is not as it should be (F209 to F212, F215)."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pillion.api import survey
from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.metrics import Metrics
from pillion.api.plan import Plan, ask, run
from pillion.api.redis_info import RedisInfo
from pillion.api.stats import Stats
from pillion.errors import ConfigError, DecodeError, RedisError
from pillion.features.health import alert as kinds
from pillion.features.health import rules
from pillion.features.health.alert import Alert
from pillion.features.health.memory import Telling, decide
from pillion.features.health.probe import Probe
from pillion.features.health.rules import Counted
from pillion.features.health.sinks import Sink, log_sink
from pillion.features.health.thresholds import Thresholds
from pillion.storage.ops import health as ops
from pillion.storage.ops.survey import counters
from pillion.wire import codec

log = logging.getLogger("pillion")

# What each check can tell of. That Redis cannot be reached is known after any of them.
CHECKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "processes": (kinds.NO_PROCESSES,),
        "queues": (kinds.QUEUE_SIZE, kinds.QUEUE_LATENCY),
        "failures": (kinds.FAILURES,),
        "redis": (kinds.MEMORY, kinds.CLIENTS, kinds.LATENCY),
    }
)
# Field of the memory for the counters of the last look; no alert is called so.
_COUNTERS = "counters"


class HealthMonitor:
    """Compare a fleet with thresholds, and tell sinks what is new, what goes on, and what is over.

    Parameters: `thresholds` say what may be. `sinks` are called with each `Alert` (the log, if none are
    given). `checks` are some of "processes", "queues", "failures", "redis" (all); `probes` are numbers of
    your own. What goes on is told again after `repeat_s` seconds. `fleet` says which Redis (this process's
    own). Monitors on several machines share what they have told, in the hash `pl:health`. Raises ConfigError.
    """

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        sinks: Sequence[Sink] | None = None,
        *,
        checks: Iterable[str] = tuple(CHECKS),
        probes: Sequence[Probe] = (),
        repeat_s: float = 3600.0,
        fleet: Fleet | None = None,
    ) -> None:
        self.fleet = fleet or DEFAULT
        self.thresholds = thresholds or Thresholds()
        self._sinks = [log_sink()] if sinks is None else list(sinks)
        self._probes = tuple(probes)
        self._checks = tuple(checks)
        unknown = set(self._checks) - set(CHECKS)
        if isinstance(checks, str) or unknown or not self._checks:
            raise ConfigError("checks", f"some of {', '.join(CHECKS)}", checks)
        self._repeat_s = repeat_s
        # What Redis could not remember, because it was down or full. Of this object only.
        self._own_memory: dict[str, bytes] = {}

    @call(
        *("HMGET", "SMEMBERS", "LLEN", "LINDEX", "HGETALL", "MGET", "INFO", "CONFIG GET", "TIME", "PING"),
        cost="O(P + Q + C), P = processes, Q = queues, C = job classes that ran in the window",
        trips="about 20, and one for every 200 processes",
    )
    def look(self) -> Plan[list[Alert]]:
        """What is wrong now, whether it has been told or not. Tells nobody, remembers nothing, calls no probe."""
        found, _ = yield from self._look()
        now_s = self.fleet.clock()
        return [replace(alert, since=now_s, at=now_s) for alert in found]

    def run_once(self) -> list[Alert]:
        """Look, and tell what is to be told; returns what was told. For cron, or for a loop of yours.

        A Redis that cannot be asked is an alert too ("redis_unreachable"), not an error. A sink that
        fails is logged, and the others are called all the same; if all fail, the next run tells it.
        """
        seen = {kinds.UNREACHABLE, *(kind for check in self._checks for kind in CHECKS[check])}
        try:
            alerts, counted = run(self._look(), self.fleet.storage)
            self._remember(counted)
        except RedisError as exc:
            seen = {kinds.UNREACHABLE}
            alerts = [Alert(kinds.UNREACHABLE, "", 0, 1, str(exc), "critical")]
        probed = {probe.name for probe in self._probes}  # another monitor may have others
        alerts += [alert for probe in self._probes for alert in probe.alerts()]
        remembered = self._remembered()
        tellings = decide(
            {**(remembered or {}), **self._own_memory},
            alerts,
            lambda alert: alert.subject in probed if alert.kind == kinds.PROBE else alert.kind in seen,
            now_s=self.fleet.clock(),
            repeat_s=self._repeat_s,
        )
        # One after the other: whoever is stopped in the middle leaves the rest for the next run.
        return [telling.alert for telling in tellings if self._claim_and_tell(telling, remembered)]

    def watch(self, every_s: float = 300.0, *, stop: threading.Event | None = None) -> None:
        """`run_once` every `every_s` seconds, until `stop` is set (from another thread, or by a signal handler)."""
        stop = stop or threading.Event()
        while not stop.is_set():
            self.run_once()
            stop.wait(every_s)

    # -- looking ---------------------------------------------------------------------------------------

    def _look(self) -> Plan[tuple[list[Alert], Counted | None]]:
        limits, found, counted = self.thresholds, list[Alert](), None
        if "processes" in self._checks:
            found += rules.process_alerts(len((yield from survey.processes())), limits)
        if "queues" in self._checks:
            found += rules.queue_alerts((yield from Stats(fleet=self.fleet).queue_summaries.plan()), limits)
        if "failures" in self._checks:
            failures = yield from self._failures()
            counted = Counted(*(yield from ask(counters())))
            before = _read_counters((yield from ask(ops.remembered())).get(_COUNTERS))
            found += rules.failure_alerts(failures, limits) + rules.share_alerts(before, counted, limits)
        if "redis" in self._checks:
            snapshot = yield from RedisInfo(fleet=self.fleet).snapshot.plan()
            found += rules.redis_alerts(snapshot, limits)
        return found, counted

    def _failures(self) -> Plan[dict[str, int]]:
        """Failures of the last minutes by class."""
        minutes = self.thresholds.failure_window_minutes
        result = yield from Metrics(fleet=self.fleet).top_jobs.plan(minutes=minutes)
        return {name: int(job.totals["f"]) for name, job in result.job_results.items()}

    # -- remembering and telling ---------------------------------------------------------------------------

    def _remember(self, counted: Counted | None) -> None:
        """Keep the counters for the next look. A Redis that is full keeps those of the last one."""
        if counted is None:
            return
        record = codec.dumps({"processed": counted.processed, "failed": counted.failed})
        try:
            self.fleet.storage.run(ops.remember(_COUNTERS, record))
        except RedisError as exc:
            log.debug("The counters of this look were not stored: %s", exc)

    def _remembered(self) -> dict[str, bytes] | None:
        """What all monitors have told; None if Redis cannot be asked."""
        try:
            memory: dict[str, bytes] = self.fleet.storage.run(ops.remembered())
        except RedisError:
            return None
        return memory

    def _claim(self, telling: Telling, remembered: Mapping[str, bytes] | None) -> bool:
        """Whether this monitor is the one to tell. Without Redis it is: better told twice than never."""
        name = telling.alert.name
        self._own_memory.pop(name, None)
        if remembered is not None:
            try:
                return bool(self.fleet.storage.run(ops.swap(name, remembered.get(name, b""), telling.record)))
            except RedisError as exc:
                log.debug("The alert %s was not stored: %s", name, exc)
        if telling.record:
            self._own_memory[name] = telling.record
        return True

    def _claim_and_tell(self, telling: Telling, remembered: Mapping[str, bytes] | None) -> bool:
        """Whether this monitor was the one to tell. If nobody heard it, the next run tells it."""
        if not self._claim(telling, remembered):
            return False
        was_told = False
        try:
            was_told = self._tell(telling.alert)
        finally:  # Ctrl-C too, or a time limit that raises
            if not was_told:
                self._take_back(telling, remembered)
        return True

    def _take_back(self, telling: Telling, remembered: Mapping[str, bytes] | None) -> None:
        """Nobody could be told: remember what was known before, so that the next look tells it."""
        name = telling.alert.name
        self._own_memory.pop(name, None)
        if remembered is not None:
            with contextlib.suppress(RedisError):
                self.fleet.storage.run(ops.swap(name, telling.record, remembered.get(name, b"")))

    def _tell(self, alert: Alert) -> bool:
        """Call every sink. False: there are some, and all have failed."""
        failed = 0
        for sink in self._sinks:
            try:
                sink(alert)
            except Exception:
                failed += 1
                log.exception("A sink of the health monitor failed; it was to tell: %s: %s", alert.name, alert.text)
        return failed == 0 or failed < len(self._sinks)


def _read_counters(raw: bytes | None) -> Counted | None:
    try:
        fields = codec.loads_job(raw) if raw else {}
        return Counted(int(fields["processed"]), int(fields["failed"]))
    except (DecodeError, KeyError, TypeError, ValueError):
        return None
