"""What a failure writes into the payload (wire-format 5, behaviour 5), and how causes are followed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pillion.errors import PoisonPill, Shutdown
from pillion.wire.backtrace import expand
from pillion.wire.codec import dumps, loads_job
from pillion.wire.failure import NO_MESSAGE, cause_chain, error_class, error_message, is_shutdown, record_failure
from pillion.wire.timestamps import to_seconds

NOW_MS = 1795300070895
LINES = ["app.py:3:in charge", "app.py:9:in perform", "run.py:1:in attempt"]


def fail(payload: dict[str, Any], exc: BaseException | None = None, **kwargs: Any) -> dict[str, Any]:
    return record_failure(payload, exc or ValueError("no"), **{"queue": "default", "now_ms": NOW_MS, **kwargs})


# -- the golden failure (wire-format 13) -------------------------------------------------------------------


def test_a_first_failure_is_stored_as_sidekiq_stores_it() -> None:
    class ArgumentError(Exception):
        __module__ = "builtins"

    ArgumentError.__qualname__ = "ArgumentError"
    raw = (
        '{"retry":true,"queue":"default","backtrace":2,"args":["x"],"class":"BoomJob",'
        '"jid":"d9fd4aa46323762f6d399ffa","created_at":1795300070530,"enqueued_at":1795300070530}'
    )
    lines = [
        "/tmp/skspec.ocnBiu/run/app.rb:7:in `perform'",
        "/tmp/skspec.ocnBiu/run/sklib/sidekiq/processor.rb:228:in `execute_job'",
        "more",
    ]
    record = fail(loads_job(raw.encode()), ArgumentError("bad ☃"), backtrace=lines)
    packed = record.pop("error_backtrace")
    assert expand(packed) == lines[:2]
    assert dumps(record).decode() == raw[:-1] + (
        ',"error_message":"bad ☃","error_class":"ArgumentError","failed_at":1795300070895,"retry_count":0}'
    )


# -- counting ------------------------------------------------------------------------------------------------


def test_keys_are_added_in_sidekiqs_order() -> None:
    first = fail({"class": "A", "queue": "default", "backtrace": True}, backtrace=LINES)
    second = fail(first, backtrace=LINES)
    added = ["error_message", "error_class", "failed_at", "retry_count", "error_backtrace", "retried_at"]
    assert list(second) == ["class", "queue", "backtrace", *added]


def test_the_first_failure_sets_failed_at_and_a_count_of_zero() -> None:
    record = fail({"class": "A"})
    assert (record["failed_at"], record["retry_count"]) == (NOW_MS, 0)
    assert "retried_at" not in record


def test_a_later_failure_sets_retried_at_and_adds_one() -> None:
    record = fail({"class": "A", "failed_at": 1, "retry_count": 3})
    assert (record["failed_at"], record["retry_count"], record["retried_at"]) == (1, 4, NOW_MS)


def test_a_manual_retry_of_a_job_that_failed_once_counts_on_from_minus_one() -> None:
    assert fail({"retry_count": -1, "failed_at": 1})["retry_count"] == 0


@pytest.mark.parametrize("unreadable", [None, "many", True, [], float("inf")])
def test_a_count_that_is_no_number_counts_as_the_first_failure(unreadable: object) -> None:
    assert fail({"retry_count": unreadable})["retry_count"] == 0


@pytest.mark.parametrize("unreadable", [None, "yesterday"])
def test_failed_at_can_be_relied_on_even_if_it_was_lost(unreadable: object) -> None:
    assert fail({"retry_count": 1, "failed_at": unreadable})["failed_at"] == NOW_MS
    assert fail({"retry_count": 1})["failed_at"] == NOW_MS


# -- the queue ----------------------------------------------------------------------------------------------


def test_the_queue_is_the_one_the_job_was_fetched_from() -> None:
    assert fail({"queue": "other"}, queue="fetched")["queue"] == "fetched"


def test_retry_queue_goes_before_it() -> None:
    assert fail({"queue": "default", "retry_queue": "slow"}, queue="fetched")["queue"] == "slow"


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_retry_queue_is_none(nothing: object) -> None:
    assert fail({"retry_queue": nothing}, queue="fetched")["queue"] == "fetched"


# -- the message ---------------------------------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class Mute(Exception):
    def __str__(self) -> Any:
        return 7  # noqa: PLE0307 - on purpose


@pytest.mark.parametrize("exc", [Unspeakable(), Mute()])
def test_a_message_that_raises_gives_a_fixed_text(exc: Exception) -> None:
    assert fail({}, exc)["error_message"] == NO_MESSAGE


def test_a_message_is_cut_at_ten_thousand_characters() -> None:
    assert error_message(ValueError("☃" * 10_001)) == "☃" * 10_000


def test_a_message_that_is_not_unicode_is_mended() -> None:
    record = fail({}, OSError("no such file: caf\udce9"))
    assert record["error_message"] == "no such file: caf\ufffd"
    dumps(record)


def test_a_message_without_text_stays_empty() -> None:
    assert error_message(ValueError()) == ""


def test_a_built_in_exception_has_its_bare_name_others_their_module() -> None:
    assert error_class(ValueError()) == "ValueError"
    assert error_class(PoisonPill()) == "pillion.errors.PoisonPill"
    assert error_class(Unspeakable()) == f"{__name__}.Unspeakable"


# -- the backtrace --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "kept"), [(True, 3), (1, 1), (2, 2), (99, 3)])
def test_the_backtrace_option_says_how_many_lines_are_kept(option: object, kept: int) -> None:
    assert expand(fail({"backtrace": option}, backtrace=LINES)["error_backtrace"]) == LINES[:kept]


@pytest.mark.parametrize("option", [False, None, 0, -1, "all"])
def test_no_lines_are_kept_otherwise(option: object) -> None:
    assert "error_backtrace" not in fail({"backtrace": option}, backtrace=LINES)


def test_no_lines_are_kept_without_the_option_or_without_lines() -> None:
    assert "error_backtrace" not in fail({}, backtrace=LINES)
    assert "error_backtrace" not in fail({"backtrace": True}, backtrace=None)


# -- other versions' payloads ----------------------------------------------------------------------------------

SIDEKIQ_6_4 = (
    '{"retry":true,"queue":"default","class":"HardJob","args":[1],"jid":"0123456789abcdef01234567",'
    '"created_at":1650000000.123,"enqueued_at":1650000000.1234567,"error_message":"boom","error_class":"RuntimeError",'
    '"failed_at":1650000001.5,"retry_count":1,"retried_at":1650000020.25}'
)


def test_a_retry_of_sidekiq_6_or_7_is_continued() -> None:
    record = fail(loads_job(SIDEKIQ_6_4.encode()))
    assert record["retry_count"] == 2
    assert record["retried_at"] == NOW_MS  # milliseconds from now on
    assert record["failed_at"] == 1650000001.5  # as it was: a float still means seconds
    assert to_seconds(record["failed_at"]) == 1650000001.5
    assert record["enqueued_at"] == 1650000000.1234567


def test_a_payload_with_next_to_nothing_in_it_can_fail() -> None:
    assert fail({}) == {
        "queue": "default",
        "error_message": "no",
        "error_class": "ValueError",
        "failed_at": NOW_MS,
        "retry_count": 0,
    }


def test_unknown_keys_are_preserved_in_order_and_the_given_payload_is_not_touched() -> None:
    payload = {"x": {"deep": [1]}, "class": "A", "bid": "b-1"}
    assert list(fail(payload))[:3] == ["x", "class", "bid"]
    assert payload == {"x": {"deep": [1]}, "class": "A", "bid": "b-1"}


# -- causes ----------------------------------------------------------------------------------------------------


def caught(raiser: Any) -> BaseException:
    try:
        raiser()
    except BaseException as exc:
        return exc
    raise AssertionError("nothing was raised")


def raise_from_cause() -> None:
    raise KeyError("outer") from Shutdown("inner")


def raise_in_handler() -> None:
    try:
        raise Shutdown("inner")
    except Shutdown:
        raise KeyError("outer")


def raise_from_none() -> None:
    try:
        raise Shutdown("inner")
    except Shutdown:
        raise KeyError("outer") from None


def raise_in_group() -> None:
    raise BaseExceptionGroup("tasks", [ValueError("a"), BaseExceptionGroup("inner", [Shutdown()])])


@pytest.mark.parametrize("raiser", [raise_from_cause, raise_in_handler, raise_in_group])
def test_a_shutdown_anywhere_behind_an_exception_is_a_shutdown(raiser: Any) -> None:
    assert is_shutdown(caught(raiser))


def test_a_shutdown_itself_is_one() -> None:
    assert is_shutdown(Shutdown())


@pytest.mark.parametrize("exc", [ValueError(), KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(1)])
def test_other_exceptions_are_no_shutdown(exc: BaseException) -> None:
    assert not is_shutdown(exc)


def test_a_context_hidden_by_from_none_is_not_followed() -> None:
    assert not is_shutdown(caught(raise_from_none))


def test_the_chain_goes_from_the_exception_to_its_first_cause() -> None:
    first, second, third = ValueError("1"), KeyError("2"), OSError("3")
    first.__cause__ = second
    second.__context__ = third
    assert list(cause_chain(first)) == [first, second, third]


def test_causes_in_a_circle_end_the_walk() -> None:
    first, second = ValueError("1"), KeyError("2")
    first.__cause__, second.__cause__ = second, first
    assert list(cause_chain(first)) == [first, second]
    assert not is_shutdown(first)


def test_a_chain_longer_than_the_stack_is_walked() -> None:
    exc: BaseException = Shutdown()
    for _ in range(5000):
        outer = ValueError()
        outer.__cause__ = exc
        exc = outer
    assert is_shutdown(exc)
