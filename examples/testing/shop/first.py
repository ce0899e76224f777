"""The first version: one job does it all, and stores what came of it at the end."""

from pillion import Job
from shop import store


class CompleteOrder(Job, queue="high", wire_name="first.CompleteOrder"):
    def perform(self, order_id: int) -> None:
        order = store.order(order_id)
        charge_id = store.charge(order["cents"])
        if charge_id is None:
            store.update(order_id, declined="Insufficient funds")
            return
        email_id = store.send_email(order["address"], "order-confirmation", order_id)
        fulfillment_id = store.request_fulfillment(order["address"])
        store.update(order_id, charge_id=charge_id, email_id=email_id, fulfillment_id=fulfillment_id)
