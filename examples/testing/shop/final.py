"""The final version: a job for each service, and each can be run again.

- The charge and the delivery have an idempotency key: asked again, the service answers as before.
- The mail service has none, so it is asked first whether that mail was sent.
"""

from pillion import Job
from shop import store


class CompleteOrder(Job, queue="high"):
    def perform(self, order_id: int) -> None:
        order = store.order(order_id)
        charge_id = store.charge(order["cents"], key=f"idempotency_key-order-{order_id}")
        if charge_id is None:
            store.update(order_id, declined="Insufficient funds")
            return
        store.update(order_id, charge_id=charge_id)
        SendConfirmation.perform_async(order_id)


class SendConfirmation(Job):
    def perform(self, order_id: int) -> None:
        order = store.order(order_id)
        email_id = store.find_email(order["address"], "order-confirmation", order_id)
        if email_id is None:
            email_id = store.send_email(order["address"], "order-confirmation", order_id)
        store.update(order_id, email_id=email_id)
        RequestFulfillment.perform_async(order_id)


class RequestFulfillment(Job):
    def perform(self, order_id: int) -> None:
        order = store.order(order_id)
        request_id = store.request_fulfillment(order["address"], key=f"idempotency_key-order-{order_id}")
        store.update(order_id, fulfillment_id=request_id)
