"""The jobs of an order: which step is done in which job, and what comes after it.

A job does one thing that can fail, and pushes the next job as its last act. Killed before that, it runs again, finds
its step done (see order_steps), and pushes it then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shop import order_steps, orders
from shop.application_job import ApplicationJob
from shop.settings import settings


class CompleteOrderJob(ApplicationJob, queue="high"):
    """Take the money. A declined order ends here."""

    def perform(self, order_id: int) -> None:
        if order_steps.charge(order_id):
            SendOrderNotificationEmailJob.perform_async(order_id)


class SendOrderNotificationEmailJob(ApplicationJob):
    """Tell the customer. Two runs at once would both find that no mail was sent yet: hence the lock.

    Who does not get it is retried like anybody else; nobody is told, as LockNotAcquired is an error that passes.
    """

    def perform(self, order_id: int) -> None:
        with self.lock(f"confirmation:{order_id}", timeout_s=settings().mail_lock_s) as lock:
            order_steps.confirm(order_id, before_sending=lock.extend)
        RequestOrderFulfillmentJob.perform_async(order_id)


class RequestOrderFulfillmentJob(ApplicationJob):
    """Have it packed and delivered. The order is complete then."""

    def perform(self, order_id: int) -> None:
        order_steps.deliver(order_id)


class CompleteForgottenOrdersJob(ApplicationJob):
    """Every night: push the jobs of orders that nobody completes.

    The web process may die, or lose its Redis, between storing an order and pushing its job. As a job can be run again,
    an order that is just being completed may be pushed as well, and one whose job waits for its retry gets another.
    """

    carries_context = False

    def perform(self) -> None:
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        order_ids = orders.unsettled_ids(older_than=an_hour_ago)
        with self.with_context(reason="nightly"):
            CompleteOrderJob.perform_bulk([[order_id] for order_id in order_ids])
