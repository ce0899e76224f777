"""What becomes of a job that failed (behaviour.md 5.2)."""

import random

import pytest

from pillion.definition.registry import JobDefinition
from pillion.server.outcome import Dead, Discard, Retry
from pillion.server.retry import Failure, RetryPolicy, backoff_s, decide, jitter_s
from pillion.wire.backtrace import expand
from pillion.wire.codec import loads_job

NOW_MS = 1_795_300_070_000


class Boom(Exception):
    pass


def _definition(**hooks) -> JobDefinition:
    definition = JobDefinition("app.Job", object)
    for name, hook in hooks.items():
        setattr(definition, name, hook)
    return definition


def _decide(payload, *, definition=None, max_retries=25, reports=None, seed=3, error=None):
    policy = RetryPolicy(
        max_retries,
        lambda lines: lines,
        lambda exc, ctx: (reports if reports is not None else []).append((exc, ctx)),
        random.Random(seed),
    )
    job = {"class": "app.Job", "args": [], "jid": "j" * 24, "queue": "default", **payload}
    failure = Failure(job, "default", error or Boom("no"), definition or _definition())
    return decide(failure, policy, now_ms=NOW_MS)


@pytest.mark.parametrize(("count", "delay"), [(0, 15), (1, 16), (2, 31), (5, 640), (10, 10_015), (24, 331_791)])
def test_the_delay_grows_with_the_fourth_power(count, delay):
    assert backoff_s(count) == delay


def test_25_retries_last_20_4_days_before_jitter():
    assert sum(backoff_s(count) for count in range(25)) == 1_763_395


@pytest.mark.parametrize("count", range(26))
def test_jitter_is_below_ten_seconds_for_each_retry_so_far(count):
    drawn = {jitter_s(count, random.Random(seed)) for seed in range(300)}
    assert min(drawn) >= 0
    assert max(drawn) < 10 * (count + 1)


def test_a_failed_job_is_retried_with_delay_and_jitter():
    outcome = _decide({"retry": True, "retry_count": 1})
    assert isinstance(outcome, Retry)
    assert NOW_MS / 1000 + 31 <= outcome.at_s < NOW_MS / 1000 + 31 + 30
    assert loads_job(outcome.payload)["retry_count"] == 2


def test_the_25th_retry_is_the_last():
    assert isinstance(_decide({"retry": True, "retry_count": 23}), Retry)
    assert isinstance(_decide({"retry": True, "retry_count": 24}), Dead)


def test_retry_n_means_n_retries():
    assert isinstance(_decide({"retry": 3, "retry_count": 1}), Retry)
    assert isinstance(_decide({"retry": 3, "retry_count": 2}), Dead)


def test_retry_0_goes_straight_to_the_dead_set():
    assert isinstance(_decide({"retry": 0}), Dead)


def test_retry_false_is_dropped_and_keeps_no_mark():
    outcome = _decide({"retry": False})
    assert isinstance(outcome, Discard)
    assert "discarded_at" not in outcome.job


def test_a_payload_that_says_nothing_follows_its_class():
    definition = _definition()
    definition.declare({"retry": 0})
    assert isinstance(_decide({}, definition=definition), Dead)


def test_the_global_maximum_counts_for_jobs_that_do_not_say():
    assert isinstance(_decide({"retry": True}, max_retries=0), Dead)
    assert isinstance(_decide({"retry": 2}, max_retries=0), Retry)


def test_retry_for_overrides_the_count():
    assert isinstance(_decide({"retry": 1, "retry_count": 9, "retry_for": 60, "failed_at": NOW_MS - 59_000}), Retry)
    assert isinstance(_decide({"retry": 99, "retry_count": 0, "retry_for": 60, "failed_at": NOW_MS - 61_000}), Dead)


def test_retry_for_reads_the_float_seconds_of_an_older_sidekiq():
    assert isinstance(
        _decide({"retry": True, "retry_count": 0, "retry_for": 60, "failed_at": NOW_MS / 1000 - 59}), Retry
    )


def test_dead_false_is_discarded_with_a_mark():
    outcome = _decide({"retry": 0, "dead": False})
    assert isinstance(outcome, Discard)
    assert outcome.job["discarded_at"] == NOW_MS


def test_a_custom_delay_gets_jitter_too():
    outcome = _decide({"retry": True}, definition=_definition(retry_in=lambda count, exc, job: 1000))
    assert isinstance(outcome, Retry)
    assert NOW_MS / 1000 + 1000 <= outcome.at_s < NOW_MS / 1000 + 1010


@pytest.mark.parametrize("wish", [0, None, "soon", -5, True, [1]])
def test_any_other_wish_means_the_default_delay(wish):
    outcome = _decide({"retry": True}, definition=_definition(retry_in=lambda count, exc, job: wish))
    assert isinstance(outcome, Retry)
    assert NOW_MS / 1000 + 15 <= outcome.at_s < NOW_MS / 1000 + 25


def test_the_hook_may_discard_and_then_the_exhausted_hook_is_not_called():
    called = []
    definition = _definition(retry_in=lambda *_: "discard", on_exhausted=lambda *_: called.append(1))
    outcome = _decide({"retry": True}, definition=definition)
    assert isinstance(outcome, Discard)
    assert outcome.job["discarded_at"] == NOW_MS
    assert called == []


def test_the_hook_may_kill_and_then_the_exhausted_hook_is_called():
    called = []
    definition = _definition(retry_in=lambda *_: "kill", on_exhausted=lambda job, exc: called.append(job["jid"]))
    assert isinstance(_decide({"retry": True}, definition=definition), Dead)
    assert called == ["j" * 24]


def test_an_error_in_a_hook_is_reported_and_changes_nothing():
    reports = []

    def broken(*_):
        raise KeyError("hook")

    outcome = _decide({"retry": True}, definition=_definition(retry_in=broken), reports=reports)
    assert isinstance(outcome, Retry)
    assert isinstance(_decide({"retry": 0}, definition=_definition(on_exhausted=broken), reports=reports), Dead)
    assert [type(exc) for exc, _ in reports] == [KeyError, KeyError]


def test_the_exhausted_hook_may_discard():
    assert isinstance(_decide({"retry": 0}, definition=_definition(on_exhausted=lambda *_: "discard")), Discard)


def test_an_unknown_class_is_retried():
    policy = RetryPolicy(25, lambda lines: lines, lambda *_: None, random.Random(1))
    job = {"class": "Nobody", "args": [], "jid": "j", "queue": "default"}
    assert isinstance(decide(Failure(job, "default", Boom(), None), policy, now_ms=NOW_MS), Retry)


def test_the_backtrace_is_kept_only_if_the_payload_asks():
    try:
        raise Boom("deep")
    except Boom as exc:
        error = exc
    plain = _decide({"retry": True}, error=error)
    asked = _decide({"retry": True, "backtrace": True}, error=error)
    assert isinstance(plain, Retry)
    assert isinstance(asked, Retry)
    assert "error_backtrace" not in loads_job(plain.payload)
    assert loads_job(asked.payload)["error_backtrace"].startswith("eJ")


def _stored_lines(error: BaseException, option: object = True) -> list[str]:
    outcome = _decide({"retry": True, "backtrace": option}, error=error)
    assert isinstance(outcome, Retry)
    return expand(loads_job(outcome.payload)["error_backtrace"])


def _pay() -> None:
    raise KeyError("card")


def _wrapped() -> BaseException:
    """As a library raises its own error from the application's: no stack of its own leads there."""
    try:
        _pay()
    except KeyError as exc:
        error = Boom("declined")
        error.__cause__ = exc
    return error


def test_the_backtrace_goes_on_with_the_stack_of_what_lies_behind_the_error():
    heading, inner, outer = _stored_lines(_wrapped())
    assert heading == "caused by KeyError"
    assert inner.endswith(":in _pay")
    assert outer.endswith(":in _wrapped")
    assert _stored_lines(_wrapped(), 2) == [heading, inner]


def test_of_a_group_with_many_members_a_few_stacks_are_kept():
    lines = _stored_lines(ExceptionGroup("all of them", [_wrapped() for _ in range(50)]))
    assert sum(line.startswith("caused by ") for line in lines) == 9


def test_what_the_job_had_is_kept_for_the_retry():
    outcome = _decide({"retry": True, "custom": {"a": [1, 2**70]}})
    assert isinstance(outcome, Retry)
    assert loads_job(outcome.payload)["custom"] == {"a": [1, 2**70]}


@pytest.mark.parametrize("odd", ["3600", "\0", [1], {"a": 1}, True])
def test_a_retry_for_that_is_no_number_limits_nothing(odd):
    """Any client may have pushed it; an error here would leave the job undecided."""
    assert isinstance(_decide({"retry_for": odd}), Retry)


def test_an_endless_retry_for_is_just_that():
    assert isinstance(_decide({"retry_for": 10**400, "retry_count": 99, "failed_at": 1}), Retry)


@pytest.mark.parametrize(("retry", "hook"), [(0, "on_exhausted"), (5, "retry_in")])
def test_what_a_hook_writes_into_the_payload_is_left_out_if_it_is_no_json(retry, hook):
    reports: list[tuple[BaseException, dict[str, object]]] = []
    definition = _definition(**{hook: lambda *given: next(g for g in given if isinstance(g, dict)).update(x=object())})
    outcome = _decide({"retry": retry}, definition=definition, reports=reports)
    assert isinstance(outcome, Retry | Dead)
    assert "x" not in loads_job(outcome.payload)
    assert len(reports) == 1
