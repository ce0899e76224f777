"""What the jobs do, and that each of them can be run again."""

from datetime import UTC, datetime, timedelta

import conftest
import factories
import pytest
from pillion import Job, LockNotAcquired, testing

from shop import database, order_steps, orders, services
from shop.jobs import (
    CompleteForgottenOrdersJob,
    CompleteOrderJob,
    RequestOrderFulfillmentJob,
    SendOrderNotificationEmailJob,
)


def all_done_once():
    """What there is to see when order 1 is complete: also if its jobs ran several times."""
    order = orders.find(1)
    assert [row["charge_id"] for row in services.payments().rows()] == [order.charge_id]
    assert [row["email_id"] for row in services.email().rows()] == [order.email_id]
    assert [row["request_id"] for row in services.fulfillment().rows()] == [order.fulfillment_request_id]
    database.engine().dispose()


def test_each_job_pushes_the_next():
    factories.order()
    CompleteOrderJob.perform_async(1)
    CompleteOrderJob.drain()
    assert orders.find(1).charge_successful
    testing.assert_enqueued(SendOrderNotificationEmailJob, 1)
    SendOrderNotificationEmailJob.drain()
    testing.assert_enqueued(RequestOrderFulfillmentJob, 1)
    RequestOrderFulfillmentJob.drain()
    all_done_once()


def test_the_amount_is_that_of_the_order():
    factories.order(factories.product(price_cents=12_300, stock=30), quantity=21)
    CompleteOrderJob.perform_inline(1)
    assert [row["amount_cents"] for row in services.payments().rows()] == [258_300]


def test_a_declined_order_ends_there():
    factories.order(factories.product(price_cents=factories.DECLINED_CENTS))
    CompleteOrderJob.perform_async(1)
    assert Job.drain_all() == 1
    order = orders.find(1)
    assert (order.charge_decline_reason, order.charge_successful, order.charge_id) == (
        "Insufficient funds",
        False,
        None,
    )
    assert services.email().rows() == services.fulfillment().rows() == []


def test_a_mail_that_was_sent_before_is_not_sent_again():
    order = factories.order()
    sent = services.email().send_email(order.email, order_steps.TEMPLATE, {"order_id": order.id})
    SendOrderNotificationEmailJob.perform_inline(order.id)
    assert [row["email_id"] for row in services.email().rows()] == [sent]
    assert orders.find(order.id).email_id == sent


def test_the_mail_of_another_order_is_another_mail():
    first, second = factories.order(), factories.order(factories.product(name="Another"))
    SendOrderNotificationEmailJob.perform_inline(first.id)
    SendOrderNotificationEmailJob.perform_inline(second.id)
    assert len(services.email().rows()) == 2


def test_a_declined_order_is_not_tried_again():
    """The customer has read it, and must not be charged when nobody looks any more."""
    product = factories.product(price_cents=factories.DECLINED_CENTS)
    order = factories.order(product)
    CompleteOrderJob.perform_inline(order.id)
    factories.set_price(product, 12_300)
    CompleteOrderJob.perform_inline(order.id)
    assert [row["status"] for row in services.payments().rows()] == ["declined"]
    assert not orders.find(order.id).charge_successful


def test_what_is_written_down_is_not_asked_again():
    """Also when the services have forgotten it, as they forget keys after a while."""
    order = factories.order()
    CompleteOrderJob.perform_async(order.id)
    Job.drain_all()
    for service in services.all_services():
        service.clear()
    for job in (CompleteOrderJob, SendOrderNotificationEmailJob, RequestOrderFulfillmentJob):
        job.perform_async(order.id)
    Job.drain_all()
    assert services.payments().rows() == services.email().rows() == services.fulfillment().rows() == []


def test_who_has_lost_the_lock_sends_nothing(monkeypatch):
    """The question took longer than the lock lasts: another run may have asked and sent meanwhile."""
    order = factories.order()
    ask = order_steps.email_sent_before

    def ask_for_an_hour(order):
        testing.travel(hours=1)
        return ask(order)

    monkeypatch.setattr(order_steps, "email_sent_before", ask_for_an_hour)
    with pytest.raises(LockNotAcquired):
        SendOrderNotificationEmailJob.perform_inline(order.id)
    assert services.email().rows() == []


def test_two_orders_are_charged_and_delivered_each():
    for order in (factories.order(), factories.order(factories.product(name="Another"))):
        CompleteOrderJob.perform_async(order.id)
    Job.drain_all()
    assert len({row["charge_id"] for row in services.payments().rows()}) == 2
    assert len({row["request_id"] for row in services.fulfillment().rows()}) == 2


def test_only_one_run_at_a_time_asks_and_sends():
    order = factories.order()
    with SendOrderNotificationEmailJob().lock(f"confirmation:{order.id}"), pytest.raises(LockNotAcquired):
        SendOrderNotificationEmailJob.perform_inline(order.id)
    assert services.email().rows() == []


def test_forgotten_orders_are_pushed_in_the_night_and_others_are_not():
    forgotten, fresh, declined, done = (factories.order(factories.product(name=f"P{n}")) for n in range(4))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for order in (forgotten, declined, done):
        orders.store(order.id, created_at=yesterday)
    orders.store(declined.id, charge_decline_reason="Insufficient funds")
    orders.store(done.id, fulfillment_request_id="fr_12345678")
    CompleteForgottenOrdersJob.perform_inline()
    testing.assert_enqueued(CompleteOrderJob, times=1)
    testing.assert_enqueued(CompleteOrderJob, forgotten.id)
    assert fresh.id not in [job["args"][0] for job in CompleteOrderJob.jobs]


# -- can they be run again? ----------------------------------------------------------------------------------


def placed():
    conftest.open_again()
    factories.order()
    database.engine().dispose()


def placed_and_too_dear():
    conftest.open_again()
    factories.order(factories.product(price_cents=factories.DECLINED_CENTS))
    database.engine().dispose()


def forgotten():
    conftest.open_again()
    orders.store(factories.order().id, created_at=datetime.now(UTC) - timedelta(days=1))
    database.engine().dispose()


def charged():
    placed()
    with testing.fake():
        CompleteOrderJob.perform_inline(1)
    database.engine().dispose()


def mailed():
    charged()
    with testing.fake():
        SendOrderNotificationEmailJob.perform_inline(1)
    database.engine().dispose()


def all_done_once_at_last():
    Job.drain_all()
    all_done_once()


def declined():
    """No word of a charge, a mail or a delivery; and the customer is told why."""
    assert orders.find(1).charge_decline_reason == "Insufficient funds"
    assert {row["status"] for row in services.payments().rows()} == {"declined"}
    assert services.email().rows() == services.fulfillment().rows() == []
    database.engine().dispose()


class TestCompleteOrderJob(testing.IdempotentJob):
    job, args, also = CompleteOrderJob, (1,), (order_steps,)
    reset, check = staticmethod(placed), staticmethod(all_done_once_at_last)


class TestCompleteOrderJobThatIsDeclined(testing.IdempotentJob):
    job, args, also = CompleteOrderJob, (1,), (order_steps,)
    reset, check = staticmethod(placed_and_too_dear), staticmethod(declined)


class TestCompleteForgottenOrdersJob(testing.IdempotentJob):
    job = CompleteForgottenOrdersJob
    reset, check = staticmethod(forgotten), staticmethod(all_done_once_at_last)


class TestSendOrderNotificationEmailJob(testing.IdempotentJob):
    job, args, also = SendOrderNotificationEmailJob, (1,), (order_steps,)
    reset, check = staticmethod(charged), staticmethod(all_done_once_at_last)


class TestRequestOrderFulfillmentJob(testing.IdempotentJob):
    job, args, also = RequestOrderFulfillmentJob, (1,), (order_steps,)
    reset, check = staticmethod(mailed), staticmethod(all_done_once_at_last)
