"""The assessment: for each line, run the job up to it, stop, run the whole job, look (F109)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

from pillion.errors import RetryableError
from pillion.testing.crash.lines import OwnCode, Spot
from pillion.testing.crash.report import CrashFailure, CrashReport, source_around
from pillion.testing.crash.worlds import Ending, Order, ProcessWorld, ThreadWorld, World
from pillion.testing.drain import Drain, name_of, which
from pillion.testing.mode import Mode
from pillion.testing.modes import entered
from pillion.testing.performing import checked_args, payload_of

TRIES: Final = 3
BETWEEN_TRIES_S: Final = 3600.0


def crash_at_every_line(
    job: Any,
    args: Sequence[Any] = (),
    *,
    check: Callable[[], Any],
    reset: Callable[[], Any] | None = None,
    before_run: Callable[[], Any] | None = None,
    isolate: Literal["process", "thread"] = "process",
    also: Sequence[Any] = (),
    whole_module: bool = False,
    drain: bool = True,
    times_per_line: int = 2,
    timeout_s: float = 30.0,
) -> CrashReport:
    """Kill `job` before each of its lines, run it whole, and call `check`; then run it twice, and `check` again.

    That is what at-least-once delivery may do to it. Raises CrashFailure, with the source, for the first line
    after which `check` raises or returns False, or the second run raises.

    Parameters: `job`, a class or a function, sync or async, and its `args`, as for a push; every run gets
    the same payload. `check()` looks at the state, in the process of the test; `reset()` brings back the
    first state, before each trial. `isolate`: "process" kills a forked child, for state in a real store;
    "thread" parks a thread, for state in the memory of the test: see the guide. `before_run()` is called
    in the child (or thread) before each run: connect to the database there. `also`: more functions,
    classes or modules whose lines count, as those of the job do; `whole_module`: all those of its module.
    `drain`: after the whole run, jobs that were pushed are run, before the check. `times_per_line`: a line in
    a loop is crashed the first so many times. `timeout_s`: for one run.

    A run that raises a RetryableError, for instance as the killed one still has the lock, is tried again an
    hour later by the clock of the test, as a worker would.
    """
    args = checked_args(args)
    world = (ProcessWorld if isolate == "process" else ThreadWorld)(times_per_line, timeout_s)
    own = OwnCode(job, also, whole_module=whole_module)
    trials = _Trials(job, args, world, own, check, reset, before_run, drain=drain)
    spots = trials.undisturbed()
    for spot in spots:
        trials.crashed_at(spot)
    trials.twice()
    return CrashReport(name_of(job), tuple(spots))


def _run_until_it_passes(mode: Mode, raw: bytes) -> None:
    """Run the job. What says of itself that it will pass gets time for it."""
    for _ in range(TRIES - 1):
        try:
            mode.runner().run(raw)
        except RetryableError:
            mode.clock.pass_s(BETWEEN_TRIES_S)
        else:
            return
    mode.runner().run(raw)


class _Trials:
    """The trials of one assessment. Each begins with a fake mode of its own and the first state."""

    def __init__(
        self,
        job: Any,
        args: Sequence[Any],
        world: World,
        own: OwnCode,
        check: Callable[[], Any],
        reset: Callable[[], Any] | None,
        before_run: Callable[[], Any] | None,
        *,
        drain: bool,
    ) -> None:
        self._job, self._args = job, args
        self._world, self._own = world, own
        self._check, self._reset, self._before_run = check, reset, before_run
        self._drain = drain

    def undisturbed(self) -> list[Spot]:
        """Run it once. Returns the spots it came by."""
        with self._trial() as trial:
            ending = self._run(trial)
            told = f"{name_of(self._job)} is wrong even when nothing disturbs it"
            self._must_have_ended(ending, told, None)
            self._finish(trial, told, None, self._world.hint)
        if not ending.spots:
            raise CrashFailure(f"{name_of(self._job)}: not one line of its own ran, so none can be assessed.")
        return ending.spots

    def crashed_at(self, spot: Spot) -> None:
        """Stop it at `spot`, and run it whole."""
        with self._trial() as trial:
            self._run(trial, spot)
            told = f"{name_of(self._job)} cannot be run again after a crash at line {spot.line}"
            self._must_have_ended(self._run(trial), told, spot)
            self._finish(trial, told, spot)

    def twice(self) -> None:
        """Run it whole, twice: it was killed after its last line, before that was written down."""
        with self._trial() as trial:
            told = f"{name_of(self._job)} cannot be run twice"
            for _ in range(2):
                self._must_have_ended(self._run(trial), told, None)
            self._finish(trial, told, None)

    # -- steps ---------------------------------------------------------------------------------------

    @contextmanager
    def _trial(self) -> Generator[tuple[Mode, bytes]]:
        home = getattr(self._job, "__home__", None) or self._job.home
        with entered("fake", home) as mode:
            if self._reset is not None:
                self._reset()
            yield mode, payload_of(mode, self._job, self._args)

    def _run(self, trial: tuple[Mode, bytes], stop_at: Spot | None = None) -> Ending:
        mode, raw = trial

        def work() -> None:
            _run_until_it_passes(mode, raw)

        return self._world.run(Order(self._prepared(work), self._own, stop_at), mode.queues)

    def _prepared(self, work: Callable[[], None]) -> Callable[[], None]:
        before_run = self._before_run
        if before_run is None:
            return work

        def prepared() -> None:
            before_run()
            work()

        return prepared

    def _finish(self, trial: tuple[Mode, bytes], told: str, spot: Spot | None, hint: str = "") -> None:
        """Run what was pushed, and look at the state."""
        mode, _ = trial
        if self._drain and len(mode.queues):

            def work() -> None:
                Drain(mode, which(None), retries=False, travel=True).run()

            self._must_have_ended(self._world.run(Order(self._prepared(work)), mode.queues), told, spot)
        try:
            answer = self._check()
        except Exception as exc:
            raise self._failure(f"{told}: the check failed with {type(exc).__name__}: {exc}", spot, hint) from exc
        if answer is False:
            raise self._failure(f"{told}: the check answered False.", spot, hint)

    def _must_have_ended(self, ending: Ending, told: str, spot: Spot | None) -> None:
        if ending.how == "ended":
            return
        how = {"raised": "the run raised an error", "hung": "the run did not end in time"}
        why = how.get(ending.how, "the process of the run ended too early")
        raise self._failure(f"{told}: {why}.", spot, ending.error)

    def _failure(self, message: str, spot: Spot | None, more: str) -> CrashFailure:
        parts = [message] if spot is None else [message, source_around(spot)]
        return CrashFailure("\n\n".join([*parts, *([more] if more else [])]), spot)
