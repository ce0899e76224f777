"""Stage 4: no mail is sent twice."""

from datetime import UTC, datetime
from typing import Any

import pillion
from pillion import Job, RetryableError

from shop import orders, services
from shop.models import Order
from shop.services import Charged, Declined, ErrorCatcher, HTTPError
from shop.settings import settings


def create_order(order: Order) -> None:
    orders.save(order)
    CompleteOrderJob.perform_async(order.id)


@pillion.configure_server
def set_up(config: pillion.Config) -> None:
    config.error_handlers.append(tell)
    config.death_handlers.append(tell_of_death)


def error_catcher() -> ErrorCatcher:
    return ErrorCatcher(settings().error_catcher_url, ignored_errors=frozenset({RetryableError}))


def tell(error: BaseException, context: dict[str, Any], config: pillion.Config) -> None:
    error_catcher().notify(error)


def tell_of_death(job: dict[str, Any], error: BaseException) -> None:
    error_catcher().notify(f"{job['class']} {job['args']} has died: {error}")


class CompleteOrderJob(Job):
    def perform(self, order_id: int) -> None:
        try:
            complete_order(order_id)
        except HTTPError as error:
            raise RetryableError(error) from error


class SendOrderNotificationEmailJob(Job):
    def perform(self, order_id: int) -> None:
        try:
            send_notification_email(order_id)
        except HTTPError as error:
            raise RetryableError(error) from error


class RequestOrderFulfillmentJob(Job):
    def perform(self, order_id: int) -> None:
        try:
            request_fulfillment(order_id)
        except HTTPError as error:
            raise RetryableError(error) from error


def complete_order(order_id: int) -> None:
    order = orders.find(order_id)
    outcome = charge(order)
    now = datetime.now(UTC)
    if isinstance(outcome, Declined):
        orders.store(order_id, charge_completed_at=now, charge_decline_reason=outcome.explanation)
        return
    orders.store(order_id, charge_completed_at=now, charge_successful=True, charge_id=outcome.charge_id)
    SendOrderNotificationEmailJob.perform_async(order_id)


def charge(order: Order) -> Charged | Declined:
    customer, method = order.user.payments_customer_id, order.user.payments_payment_method_id
    metadata = {"order_id": str(order.id)}
    return services.payments().charge(customer, method, order.total_cents, metadata)


def send_notification_email(order_id: int) -> None:
    order = orders.find(order_id)
    email_id = email_sent_before(order)
    if email_id is None:
        data = {"order_id": order_id, "subject": "Your order has been received"}
        email_id = services.email().send_email(order.email, "order-confirmation", data)
    orders.store(order_id, email_id=email_id)
    RequestOrderFulfillmentJob.perform_async(order_id)


def email_sent_before(order: Order) -> str | None:
    sent = services.email().search_emails(order.email, "order-confirmation")
    return next((email["email_id"] for email in sent if email["template_data"]["order_id"] == order.id), None)


def request_fulfillment(order_id: int) -> None:
    order = orders.find(order_id)
    customer = order.user.payments_customer_id
    metadata = {"order_id": str(order_id)}
    request_id = services.fulfillment().request_fulfillment(
        customer, order.address, order.product_id, order.quantity, metadata
    )
    orders.store(order_id, fulfillment_request_id=request_id)
