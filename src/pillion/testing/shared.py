"""IdempotentJob: the tests that every idempotent job shares (F113)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pillion.testing.crash import crash_at_every_line
from pillion.testing.performing import perform_multiple


class IdempotentJob:
    """A base for a class of tests: the job can be run several times, and be killed at any line.

    class TestChargeOrder(testing.IdempotentJob):
        job, args = ChargeOrder, (42,)
        isolate = "thread"                              # or "process", see `crash_at_every_line`
        def reset(self): payments.clear()
        def check(self): assert len(payments.charges) == 1
    """

    job: Any = None
    args: Sequence[Any] = ()
    isolate: ClassVar[Literal["process", "thread"]] = "process"
    also: Sequence[Any] = ()

    def check(self) -> Any:
        """Override: raise (`assert`), or return False, if the state is not what one run makes of it."""

    def reset(self) -> Any:
        """Override: bring back the first state."""

    def before_run(self) -> Any:
        """Override: what a run needs in its own process or thread, such as a database connection."""

    def test_can_be_performed_several_times(self) -> None:
        """Three runs with one payload."""
        self.reset()
        self.before_run()
        perform_multiple(self._job(), self.args)
        self._must_be_right()

    def test_survives_a_crash_at_every_line(self) -> None:
        """Killed before each of its lines, and run again."""
        crash_at_every_line(
            self._job(),
            self.args,
            check=self.check,
            reset=self.reset,
            before_run=self.before_run,
            isolate=self.isolate,
            also=self.also,
        )

    def _job(self) -> Any:
        return type(self).job  # of the class: a function would become a method here

    def _must_be_right(self) -> None:
        if self.check() is False:
            raise AssertionError(f"{self._job()!r} is not idempotent: after three runs the check answered False.")
