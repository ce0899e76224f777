"""assert_enqueued: what it finds, and what it says when it does not (F234)."""

import time
from datetime import timedelta
from unittest.mock import ANY

import pytest

from pillion import default, testing
from pillion.config import Config
from pillion.default import Default
from pillion.errors import EmptyQueue, NotTesting
from pillion.jobs.base import BaseJob, JobDecorator
from pillion.testing.drain import INLINE

HOME = Default()
HOME.install(Config())
job = JobDecorator(HOME)


class Base(BaseJob, abstract=True, home=HOME): ...


class Charge(Base, queue="high", wire_name="Charge"):
    def perform(self, order_id, note=None): ...


@job(wire_name="mail")
def mail(address, count=1): ...


@pytest.fixture(autouse=True)
def queues():
    with testing.fake(home=HOME) as queues:
        yield queues


def failure(*args, **kwargs):
    with pytest.raises(AssertionError) as caught:
        testing.assert_enqueued(*args, **kwargs)
    return str(caught.value)


def test_it_finds_jobs_by_arguments_queue_and_time():
    Charge.perform_async(1)
    Charge.perform_async(1, "gift")
    Charge.set(queue="low").perform_in(300, 2)
    mail.perform_async("ann")
    assert len(testing.assert_enqueued(Charge)) == 3
    assert [payload["args"] for payload in testing.assert_enqueued(Charge, 1)] == [[1]]
    testing.assert_enqueued(Charge, 1, "gift", queue="high", times=1)
    testing.assert_enqueued(Charge, ANY, ANY)
    testing.assert_enqueued(Charge, 2, at=timedelta(minutes=5), queue="low")
    testing.assert_enqueued(Charge, at=310, within_s=20)
    testing.assert_enqueued(Charge, times=3)
    testing.assert_enqueued(mail, "ann")
    testing.assert_enqueued(Base, times=3)
    testing.assert_not_enqueued(Charge, 3)
    testing.assert_not_enqueued(mail, queue="high")


def test_a_job_pushed_by_name_is_found_by_name():
    with testing.fake():  # a name alone belongs to pillion's own home
        default.client().push({"class": "Ruby::Job", "args": [1], "queue": "ruby"})
        testing.assert_enqueued("Ruby::Job", 1, queue="ruby")
        testing.assert_not_enqueued("Ruby::Other")


def test_nothing_was_pushed():
    assert failure(Charge, 1) == (
        "Expected Charge(1) to be enqueued at least once, but it was not.\nNo Charge is enqueued."
    )


def test_in_inline_mode_the_message_says_that_jobs_have_run():
    with testing.inline(home=HOME):
        Charge.perform_async(1)
        assert failure(Charge, 1).endswith(f"No Charge is enqueued.\n{INLINE}")
        with pytest.raises(EmptyQueue, match="each job has run where it was pushed"):
            Charge.perform_one()


def test_in_inline_mode_nothing_can_be_said_to_be_missing():
    with testing.inline(home=HOME):
        Charge.perform_async(1)
        with pytest.raises(NotTesting, match="each job has run where it was pushed"):
            testing.assert_not_enqueued(Charge, 1)


def test_a_moment_that_has_come_is_now():
    Charge.perform_in(-5, 1)
    Charge.perform_at(1_500_000_000, 2)
    testing.assert_enqueued(Charge, 1, at=-5)
    testing.assert_enqueued(Charge, 2, at=1_500_000_000)
    testing.assert_enqueued(Charge, at=0, times=2)
    testing.assert_not_enqueued(Charge, at=5)


def test_the_message_says_what_is_different():
    Charge.perform_async(43)
    Charge.set(queue="low").perform_async(42)
    mail.perform_async("ann")
    mail.perform_async("bob")
    message = failure(Charge, 42, queue="high")
    assert message == (
        "Expected Charge(42) in queue 'high' to be enqueued at least once, but it was not.\n"
        "Enqueued Charge:\n"
        "  (43) in queue 'high'\n"
        "      - args[0] is 43, expected 42\n"
        "  (42) in queue 'low'\n"
        "      - queue is 'low', expected 'high'\n"
        "Other jobs that are enqueued: mail (2)."
    )


def test_the_nearest_comes_first_and_not_too_many():
    for order_id in range(20):
        Charge.perform_async(order_id, "a note")
    Charge.perform_async(42, "a note")
    message = failure(Charge, 42, "another note").splitlines()
    assert message[2] == "  (42, 'a note') in queue 'high'"
    assert message[-1] == "  ... and 11 more"


def test_ten_are_shown_without_more():
    for order_id in range(10):
        Charge.perform_async(order_id)
    message = failure(Charge, 42)
    assert message.count("in queue 'high'") == 10
    assert "more" not in message


def test_a_wrong_number_of_times():
    Charge.perform_async(1)
    assert failure(Charge, times=2).startswith(
        "Expected Charge(...) to be enqueued 2 times, but it was once.\nEnqueued Charge:\n  (1) in queue 'high'"
    )
    Charge.perform_async(1)
    assert "to be enqueued once, but it was 2 times" in failure(Charge, times=1)
    Charge.perform_one()
    with pytest.raises(AssertionError, match="to be enqueued not at all, but it was once"):
        testing.assert_not_enqueued(Charge, 1)


def test_a_wrong_time():
    Charge.perform_in(60, 1)
    Charge.perform_async(1)
    message = failure(Charge, 1, at=90)
    assert ": 30.0 s too early" in message
    assert "it is to run now, expected" in message
    assert "too late" in failure(Charge, 1, at=30)
    testing.assert_not_enqueued(Charge, 1, at=70)
    with pytest.raises(AssertionError):
        testing.assert_not_enqueued(Charge, 1, at=70, within_s=20)


def test_moments_are_told_in_utc_whatever_the_machine_is_set_to(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        Charge.perform_at(2_000_000_000, 1)
        message = failure(Charge, 1, at=2_000_000_060)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "Expected Charge(1) at 2033-05-18 03:34:20+00:00 to be enqueued" in message
    assert "  (1) in queue 'high', at 2033-05-18 03:33:20+00:00\n" in message


def test_a_wrong_number_of_arguments():
    Charge.perform_async(1)
    assert "it has 1 arguments, expected 2" in failure(Charge, 1, None)


def test_an_expectation_that_json_cannot_meet():
    Charge.perform_async([1, 2])
    for odd, text in (((1, 2), "(1, 2)"), ({1}, "{1}"), (b"x", "b'x'")):
        assert f"{text} cannot come out of JSON" in failure(Charge, odd)


def test_what_has_run_is_not_enqueued_any_more():
    Charge.perform_async(1)
    Charge.drain()
    mail.perform_async("ann")
    mail.drain()
    assert failure(Charge, 1).endswith("1 of Charge have been run and are not enqueued any more.")
    assert failure(Base).endswith(f"1 of {Base.__job__.wire_name} have been run and are not enqueued any more.")


def test_long_values_are_cut():
    Charge.perform_async("x" * 1000)
    assert len(failure(Charge, "y")) < 1000
