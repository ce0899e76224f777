"""What is done for an order: a function for each service, and each can be called again.

Whoever calls a service may be killed before its answer is written down, and then has to call again. So each function

1. looks into the order first: what is written down there is not asked again, however long ago it was (services forget
   idempotency keys, most of them after days),
2. calls the service in such a way that a second call does nothing: with a key, or after asking what was done,
3. writes down what the service has said, at once, and does nothing after it.

What comes after a step is said by the jobs. All functions raise NoResultFound, HTTPError and httpx.TransportError.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from shop import orders, services
from shop.models import Order
from shop.services import Declined

TEMPLATE = "order-confirmation"
SUBJECT = "Your order has been received"


def idempotency_key(order_id: int) -> str:
    """One order is charged once and delivered once, so its number is all that the key needs."""
    return f"idempotency_key-order-{order_id}"


def charge(order_id: int) -> bool:
    """Take the money. Returns whether the order goes on; one that was declined is not tried again."""
    order = orders.find(order_id)
    if order.charge_completed_at is not None:
        return order.charge_successful
    outcome = services.payments().charge(
        order.user.payments_customer_id,
        order.user.payments_payment_method_id,
        order.total_cents,
        metadata={"order_id": str(order_id), "idempotency_key": idempotency_key(order_id)},
    )
    now = datetime.now(UTC)
    if isinstance(outcome, Declined):
        orders.store(order_id, charge_completed_at=now, charge_decline_reason=outcome.explanation)
        return False
    orders.store(order_id, charge_completed_at=now, charge_successful=True, charge_id=outcome.charge_id)
    return True


def confirm(order_id: int, before_sending: Callable[[], object]) -> None:
    """Send the mail. The service knows no keys, so it is asked first, and only one call at a time may do so.

    `before_sending` raises if another call has begun meanwhile. One hole is left, which only the service could close:
    a mail that it sends although we have given up waiting for its answer, after the next call has asked.
    """
    order = orders.find(order_id)
    if order.email_id is not None:
        return
    email_id = email_sent_before(order)
    if email_id is None:
        before_sending()
        email_id = services.email().send_email(order.email, TEMPLATE, {"order_id": order_id, "subject": SUBJECT})
    orders.store(order_id, email_id=email_id)


def email_sent_before(order: Order) -> str | None:
    """The id of the mail of this order, if an earlier call has sent it."""
    sent = services.email().search_emails(order.email, TEMPLATE)
    return next((email["email_id"] for email in sent if email["template_data"].get("order_id") == order.id), None)


def deliver(order_id: int) -> None:
    """Have it packed and delivered."""
    order = orders.find(order_id)
    if order.fulfillment_request_id is not None:
        return
    request_id = services.fulfillment().request_fulfillment(
        order.user.payments_customer_id,
        order.address,
        order.product_id,
        order.quantity,
        metadata={"order_id": str(order_id), "idempotency_key": idempotency_key(order_id)},
    )
    orders.store(order_id, fulfillment_request_id=request_id)
