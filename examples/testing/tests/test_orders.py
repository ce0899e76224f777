"""How an application tests its jobs. No Redis is needed: `pillion_mode = fake` in pytest.ini."""

import pytest
from shop.final import CompleteOrder, RequestFulfillment, SendConfirmation

from pillion import Job, JobArgumentError, testing
from shop import first, store


def all_done_once():
    """What there is to see when one order has been completed: also if its jobs ran several times."""
    assert store.count("charges") == 1
    assert store.count("emails") == 1
    assert store.count("fulfillments") == 1
    assert all(store.order(1)[name] for name in ("charge_id", "email_id", "fulfillment_id"))


# -- fake mode: what was pushed, and what happens when it runs ---------------------------------------------


def test_pushing_runs_nothing():
    CompleteOrder.perform_async(1)
    testing.assert_enqueued(CompleteOrder, 1, queue="high", times=1)
    assert store.count("charges") == 0


def test_each_job_pushes_the_next():
    CompleteOrder.perform_async(1)
    CompleteOrder.drain()
    assert store.order(1)["charge_id"]
    testing.assert_enqueued(SendConfirmation, 1)
    assert Job.drain_all() == 2
    all_done_once()


def test_a_declined_order_ends_there():
    store.update(1, cents=9999)
    CompleteOrder.perform_async(1)
    Job.drain_all()
    assert store.order(1)["declined"] == "Insufficient funds"
    assert store.count("emails") == store.count("fulfillments") == 0


def test_no_jobs_are_left_from_the_test_before():
    assert Job.jobs == []


def test_wrong_arguments_fail_where_they_are_pushed():
    with pytest.raises(JobArgumentError):
        CompleteOrder.perform_async()


@pytest.mark.pillion("inline")
def test_inline_the_whole_chain_runs_at_once():
    CompleteOrder.perform_async(1)
    all_done_once()


def test_a_failed_job_is_tried_again(monkeypatch):
    def unreachable(*_args):
        raise ConnectionError("mail service")

    with monkeypatch.context() as patched:
        patched.setattr(store, "send_email", unreachable)
        SendConfirmation.perform_async(1)
        SendConfirmation.drain(retries=True)
    [waiting] = testing.queues.retries
    assert waiting["error_message"] == "mail service"
    testing.travel(minutes=1)
    Job.drain_all(retries=True)
    assert store.count("emails") == 1


def test_a_mail_that_was_sent_before_is_found_again():
    sent = store.send_email("ann@example.org", "order-confirmation", 1)
    SendConfirmation.perform_async(1)
    SendConfirmation.drain()
    assert store.count("emails") == 1
    assert store.order(1)["email_id"] == sent


def test_run_drain_and_run_again_changes_nothing():
    for _ in range(2):
        CompleteOrder.perform_async(1)
        Job.drain_all()
        all_done_once()


# -- can they be run again? --------------------------------------------------------------------------------


def test_the_first_version_charges_twice_when_it_is_killed_after_the_charge():
    with pytest.raises(testing.CrashFailure, match="killed before this line") as found:
        testing.crash_at_every_line(first.CompleteOrder, [1], check=all_done_once, reset=store.create)
    assert "if charge_id is None" in str(found.value)


def charged():
    store.create()
    CompleteOrder().perform(1)
    Job.clear_all()


def mailed():
    charged()
    SendConfirmation().perform(1)
    Job.clear_all()


class TestCompleteOrder(testing.IdempotentJob):
    job, args = CompleteOrder, (1,)
    reset = staticmethod(store.create)
    check = staticmethod(all_done_once)


class TestSendConfirmation(testing.IdempotentJob):
    job, args = SendConfirmation, (1,)
    reset = staticmethod(charged)
    check = staticmethod(all_done_once)


class TestRequestFulfillment(testing.IdempotentJob):
    job, args = RequestFulfillment, (1,)
    reset = staticmethod(mailed)
    check = staticmethod(all_done_once)
