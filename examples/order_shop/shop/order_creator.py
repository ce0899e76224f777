"""Where an order begins: it is stored, and jobs do the rest."""

from __future__ import annotations

import pillion

from shop import orders
from shop.jobs import CompleteOrderJob
from shop.models import Order


def create_order(order: Order) -> None:
    """Store the order first: the job may run before this returns, and must find it."""
    orders.save(order)
    with pillion.context(customer=order.user_id):
        CompleteOrderJob.perform_async(order.id)
