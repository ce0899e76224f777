"""ErrorCatcher: a notification for what needs somebody, none for what passes, one for each death (F090, F098)."""

from __future__ import annotations

import pytest

from pillion.config import Config
from pillion.errors import ConfigError, LockNotAcquired, RetryableError
from pillion.features.errors import ErrorCatcher
from pillion.server.reporter import Reporter

JOB = {"class": "A", "jid": "1"}


class Timeout(Exception): ...


class Rig:
    """What a worker tells its handlers; `sent` is what came out."""

    def __init__(self, **options):
        self.sent = []
        self.config = Config()
        self.catcher = ErrorCatcher(lambda exc, ctx: self.sent.append((exc, ctx["context"])), **options)
        self.catcher.install(self.config)
        self.reporter = Reporter(self.config)

    def fails(self, exc):
        self.reporter.report(exc, {"context": "Job raised exception", "job": JOB})

    def dies(self, exc):
        self.fails(exc)
        self.reporter.died({**JOB, "retry_count": 3}, exc)


class TestAll:
    def test_each_failure_is_reported_and_a_death_not_once_more(self):
        rig, one, last = Rig(), ValueError(1), ValueError(2)
        rig.fails(one)
        rig.dies(last)
        assert rig.sent == [(one, "Job raised exception"), (last, "Job raised exception")]

    @pytest.mark.parametrize("exc", [RetryableError(Timeout()), LockNotAcquired("a")])
    def test_what_passes_is_not_reported_but_its_death_is(self, exc):
        rig = Rig()
        rig.fails(exc)
        assert rig.sent == []
        rig.dies(exc)
        assert rig.sent == [(exc, "Job died")]


class TestFinal:
    def test_three_failures_and_a_success_are_no_report(self):
        rig = Rig(report_errors="final")
        for number in range(3):
            rig.fails(ValueError(number))
        assert rig.sent == []

    def test_failures_and_a_death_are_one(self):
        rig, last = Rig(report_errors="final"), ValueError("last")
        rig.fails(ValueError("first"))
        rig.dies(last)
        assert rig.sent == [(last, "Job died")]

    def test_what_is_of_no_job_is_reported_at_once(self):
        rig, exc = Rig(report_errors="final"), OSError()
        rig.reporter.report(exc, {"context": "heartbeat"})
        assert rig.sent == [(exc, "heartbeat")]


def test_a_function_decides_and_no_death_goes_unreported():
    rig = Rig(report_errors=lambda exc, ctx: isinstance(exc, KeyError) and ctx["job"]["class"] == "A")
    kept, dropped = KeyError(), ValueError()
    rig.fails(dropped)
    rig.fails(kept)
    rig.dies(kept)
    rig.dies(dropped)
    assert [exc for exc, _ in rig.sent] == [kept, kept, dropped]
    assert rig.sent[-1][1] == "Job died"


class TestIgnored:
    def test_by_class_or_name_from_the_start_or_later(self):
        rig = Rig(ignored_errors=["Timeout"])
        rig.catcher.ignored_errors.add(KeyError)
        for exc in (Timeout(), KeyError(), ValueError()):
            rig.fails(exc)
        assert [type(exc) for exc, _ in rig.sent] == [ValueError]


def test_one_that_fails_does_not_stop_the_others():
    rig, seen = Rig(), []
    rig.config.error_handlers.insert(0, lambda exc, ctx, config: 1 / 0)
    rig.config.error_handlers.append(lambda exc, ctx, config: seen.append(exc))
    exc = ValueError()
    rig.fails(exc)
    assert (seen, len(rig.sent)) == ([exc], 1)


@pytest.mark.parametrize(
    "options",
    [{"report_errors": "last"}, {"ignored_errors": "Timeout"}, {"ignored_errors": [5]}, {"ignored_errors": Timeout}],
)
def test_what_cannot_be_right_is_refused(options):
    with pytest.raises(ConfigError):
        ErrorCatcher(print, **options)
