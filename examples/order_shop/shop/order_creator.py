"""Where an order begins: it is stored, and jobs do the rest."""

from __future__ import annotations

import logging

import pillion

from shop import orders
from shop.jobs import CompleteOrderJob
from shop.models import Order

log = logging.getLogger(__name__)


def create_order(order: Order) -> None:
    """Store the order first: the job may run before this returns, and must find it.

    From then on the order is taken. If its job cannot be pushed, as Redis is away, the customer is not told to order
    again, which would be a second order: CompleteForgottenOrdersJob pushes the job.
    """
    orders.save(order)
    try:
        with pillion.context(customer=order.user_id):
            CompleteOrderJob.perform_async(order.id)
    except pillion.RedisError as error:
        log.error("Order %s waits for CompleteForgottenOrdersJob, its job could not be pushed: %s", order.id, error)
