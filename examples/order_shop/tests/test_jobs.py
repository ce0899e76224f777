"""What the jobs do, and that each of them can be run again."""

from datetime import UTC, datetime, timedelta

import conftest
import factories
from pillion import Job, testing

from shop import database, orders, services
from shop.jobs import (
    TEMPLATE,
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
    sent = services.email().send_email(order.email, TEMPLATE, {"order_id": order.id})
    SendOrderNotificationEmailJob.perform_inline(order.id)
    assert [row["email_id"] for row in services.email().rows()] == [sent]
    assert orders.find(order.id).email_id == sent


def test_the_mail_of_another_order_is_another_mail():
    first, second = factories.order(), factories.order(factories.product(name="Another"))
    SendOrderNotificationEmailJob.perform_inline(first.id)
    SendOrderNotificationEmailJob.perform_inline(second.id)
    assert len(services.email().rows()) == 2


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


class TestCompleteOrderJob(testing.IdempotentJob):
    job, args = CompleteOrderJob, (1,)
    reset, check = staticmethod(placed), staticmethod(all_done_once_at_last)


class TestSendOrderNotificationEmailJob(testing.IdempotentJob):
    job, args = SendOrderNotificationEmailJob, (1,)
    reset, check = staticmethod(charged), staticmethod(all_done_once_at_last)


class TestRequestOrderFulfillmentJob(testing.IdempotentJob):
    job, args = RequestOrderFulfillmentJob, (1,)
    reset, check = staticmethod(mailed), staticmethod(all_done_once_at_last)
