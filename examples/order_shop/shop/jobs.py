"""What happens to an order after it was placed: a job for each service, and each can be run again.

- The charge and the delivery have an idempotency key: asked again, the service answers as before.
- The mail service knows no keys, so it is asked first whether the mail was sent, by one run at a time.
- Each job pushes the next as its last act. Killed before that, it runs again and pushes it then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pillion import LockNotAcquired

from shop import orders, services
from shop.application_job import ApplicationJob
from shop.services import Declined
from shop.settings import settings

TEMPLATE = "order-confirmation"
SUBJECT = "Your order has been received"


def idempotency_key(order_id: int) -> str:
    """One order is charged once and delivered once, so its number is all that the key needs."""
    return f"idempotency_key-order-{order_id}"


class CompleteOrderJob(ApplicationJob, queue="high"):
    """Take the money. A declined order ends here."""

    def perform(self, order_id: int) -> None:
        order = orders.find(order_id)
        outcome = services.payments().charge(
            order.user.payments_customer_id,
            order.user.payments_payment_method_id,
            order.total_cents,
            metadata={"order_id": str(order.id), "idempotency_key": idempotency_key(order.id)},
        )
        now = datetime.now(UTC)
        if isinstance(outcome, Declined):
            orders.store(order.id, charge_completed_at=now, charge_decline_reason=outcome.explanation)
            return
        orders.store(order.id, charge_completed_at=now, charge_successful=True, charge_id=outcome.charge_id)
        SendOrderNotificationEmailJob.perform_async(order.id)


class SendOrderNotificationEmailJob(ApplicationJob):
    """Tell the customer."""

    def perform(self, order_id: int) -> None:
        order = orders.find(order_id)
        with self.lock(f"confirmation:{order.id}", timeout_s=settings().mail_lock_s):
            email_id = self.email_sent_before(order.id, order.email) or services.email().send_email(
                order.email, TEMPLATE, {"order_id": order.id, "subject": SUBJECT}
            )
        orders.store(order.id, email_id=email_id)
        RequestOrderFulfillmentJob.perform_async(order.id)

    def email_sent_before(self, order_id: int, address: str) -> str | None:
        """The id of the mail, if an earlier run has sent it."""
        sent = services.email().search_emails(address, TEMPLATE)
        return next((email["email_id"] for email in sent if email["template_data"].get("order_id") == order_id), None)

    @staticmethod
    def retry_in(count: int, exc: BaseException, payload: dict[str, Any]) -> float | None:  # noqa: ARG004
        return 5 if isinstance(exc, LockNotAcquired) else None  # another run is at it, or was killed at it


class RequestOrderFulfillmentJob(ApplicationJob):
    """Have it packed and delivered."""

    def perform(self, order_id: int) -> None:
        order = orders.find(order_id)
        request_id = services.fulfillment().request_fulfillment(
            order.user.payments_customer_id,
            order.address,
            order.product_id,
            order.quantity,
            metadata={"order_id": str(order.id), "idempotency_key": idempotency_key(order.id)},
        )
        orders.store(order.id, fulfillment_request_id=request_id)


class CompleteForgottenOrdersJob(ApplicationJob):
    """Every night: push the jobs of orders that nobody completes.

    The web process may die between storing an order and pushing its job. As a job can be run again, an order that is
    just being completed may be pushed as well.
    """

    carries_context = False

    def perform(self) -> None:
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        order_ids = orders.unsettled_ids(older_than=an_hour_ago)
        with self.with_context(reason="nightly"):
            CompleteOrderJob.perform_bulk([[order_id] for order_id in order_ids])
