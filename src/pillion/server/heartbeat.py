"""Heartbeat: every ten seconds, tells dashboards what this process is doing, and asks for signals.

Behaviour 9, wire-format 7.4; two differences. The counters of processed and failed jobs are not
flushed here: they are added in the step that settles each job. And the `heartbeat` hooks are called
each time the record had to be made anew, not only the first: so after a network partition too.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Sequence

from pillion.config import Config, Event
from pillion.server import process_record as record
from pillion.server.reporter import Reporter
from pillion.server.service import PeriodicService
from pillion.server.slot import WorkEntry
from pillion.storage.ops import process
from pillion.storage.sync import Storage

log = logging.getLogger("pillion")

BEAT_EVERY_S = 10.0


class Heartbeat:
    """A Service that beats until it is stopped, through quiet and shutdown.

    Parameters:
        work: the jobs running now.
        is_quiet: whether the process is quieting or stopping.
        fire: calls the hooks of a lifecycle event.
        on_signal: is given TSTP, TERM or TTIN when a dashboard has sent it. An embedded worker never
            is: its process belongs to another program.
        audits: called each beat, to look after what can be looked after rarely.
        clock, perf: epoch seconds, and the clock that times the PING.
    """

    def __init__(
        self,
        storage: Storage,
        config: Config,
        identity: str,
        reporter: Reporter,
        *,
        work: Callable[[], Sequence[WorkEntry]],
        is_quiet: Callable[[], bool],
        fire: Callable[[Event], None],
        on_signal: Callable[[str], None],
        audits: Sequence[Callable[[], object]] = (),
        embedded: bool = False,
        clock: Callable[[], float] = time.time,
        perf: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._storage = storage
        self._config = config
        self._identity = identity
        self._reporter = reporter
        self._work = work
        self._is_quiet = is_quiet
        self._fire = fire
        self._on_signal = on_signal
        self._audits = tuple(audits)
        self._embedded = embedded
        self._clock = clock
        self._perf = perf
        self._info = record.build_info(config, identity, clock(), embedded=embedded)
        self._set_title = None if embedded else _title_setter()
        self._rtt = record.RttMonitor()
        self._loop = PeriodicService("heartbeat", self._tick, reporter, error_wait_s=BEAT_EVERY_S)
        self._registered = False

    def start(self) -> None:
        """Beat now, and from now on."""
        self._loop.start()

    def quiet(self) -> None:
        """Say at once that the process is quiet, and go on: dashboards are to see how the last jobs end."""
        self._loop.hurry()

    def stop(self, deadline_s: float) -> None:
        """Beat no more and take the process off the list. The record itself is left to expire."""
        self._loop.stop(deadline_s)
        if self._registered:
            self._registered = False
            self._guarded("taking the process off the list", self._leave)

    def beat(self) -> None:
        """One beat. Raises RedisError."""
        running = self._work()
        self._show_title(len(running))
        self._registered = True
        self._storage.transaction(process.work(self._identity, record.work_fields(running)))
        reply = self._refresh(len(running), self._measure_rtt())
        if not reply.existed:
            self._fire("heartbeat")
        self._fire("beat")
        if reply.signal is not None:
            self._deliver(reply.signal)

    # -- inside ----------------------------------------------------------------------------------

    def _tick(self) -> float:
        self._guarded("heartbeat", self.beat)
        for audit in self._audits:
            self._guarded("heartbeat: audit", audit)
        return BEAT_EVERY_S

    def _guarded(self, context: str, step: Callable[[], object]) -> None:
        """Nothing that goes wrong here may end the heartbeat, or keep the rest of it from happening."""
        try:
            step()
        except Exception as exc:  # noqa: BLE001 - audits are the business of others
            self._reporter.report(exc, {"context": context})

    def _refresh(self, busy: int, rtt_us: int) -> process.BeatReply:
        fields = record.beat_fields(
            self._info,
            concurrency=self._config.total_concurrency,
            busy=busy,
            beat_s=self._clock(),
            rtt_us=rtt_us,
            quiet=self._is_quiet(),
            rss_kib=record.resident_kib(),
        )
        return process.read_beat(self._storage.transaction(process.beat(self._identity, fields)))

    def _measure_rtt(self) -> int:
        before = self._perf()
        self._storage.run(process.ping())
        rtt_us = int((self._perf() - before) * 1_000_000)
        if self._rtt.is_slow(rtt_us):
            log.warning(
                "Redis answered slowly five times in a row, just now after %d ms (more than %d ms is too much)."
                " Either the network is slow, or this process has no processor time left: then lower concurrency.",
                rtt_us // 1000,
                record.RTT_LIMIT_US // 1000,
            )
        return rtt_us

    def _deliver(self, signal: str) -> None:
        if self._embedded:
            log.info("Ignoring %s from a dashboard: this worker is part of another program", signal)
        else:
            self._on_signal(signal)

    def _leave(self) -> None:
        self._storage.run_all(process.leave(self._identity))

    def _show_title(self, busy: int) -> None:
        if self._set_title is not None:
            concurrency = self._config.total_concurrency
            self._set_title(record.process_title(self._config.tag, busy, concurrency, stopping=self._is_quiet()))


def _title_setter() -> Callable[[str], None] | None:
    """The function that changes the process title, if the extra `title` is installed."""
    try:
        set_title: Callable[[str], None] = importlib.import_module("setproctitle").setproctitle
    except ImportError:
        return None
    return set_title
