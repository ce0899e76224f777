"""The load drill: many orders at once, to fill the charts, and to see that each was charged, mailed, delivered once.

`make shop-load` places 1,000 orders for 10 products. A worker that was started with SHOP_PAUSES_S=2 pauses up to two
seconds before each job, as the book has it: a quarter of an hour. Without that it is the fast mode: a minute or two.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from rich.progress import Progress
from sqlalchemy import select

from shop import catalogue, database, services
from shop.models import Order, Product
from shop.order_creator import create_order

LOOK_EVERY_S = 0.5
FEW_IN_STOCK = 1, 10
PRICE_CENTS = 10_000, 19_999


def run(count: int, products: int) -> dict[str, int]:
    """Place `count` orders for so many new products, and show progress until all are settled.

    Returns what the services did for these orders: how many charges, mails, requests.
    """
    chosen = create_products(products)
    with Progress() as progress:
        order_ids = _place(count, chosen, progress)
        settled = progress.add_task("orders settled", total=count)
        while (done := count_settled(order_ids)) < count:
            progress.update(settled, completed=done)
            time.sleep(LOOK_EVERY_S)
        progress.update(settled, completed=done)
    return {service.list_path: count_rows(service.rows(), order_ids) for service in _those_that_do_something()}


def create_products(count: int) -> list[Product]:
    """New products, each with a random price and a few in stock."""
    series = secrets.token_hex(4)
    made = [
        Product(
            name=f"Load product {series}-{number}",
            quantity_remaining=random.randint(*FEW_IN_STOCK),
            price_cents=random.randint(*PRICE_CENTS),
        )
        for number in range(count)
    ]
    with database.session() as session:
        session.add_all(made)
        session.commit()
    return made


def count_settled(order_ids: Collection[int]) -> int:
    """How many of these orders, which came one after the other, are declined or completed."""
    is_one_of_them = Order.id.between(min(order_ids), max(order_ids))
    is_settled = Order.charge_decline_reason.is_not(None) | Order.fulfillment_request_id.is_not(None)
    with database.session() as session:
        found = session.scalars(select(Order.id).where(is_one_of_them, is_settled)).all()
    return len(set(found) & set(order_ids))


def count_rows(rows: Iterable[Mapping[str, Any]], order_ids: Collection[int]) -> int:
    """How many rows of a service are about one of these orders."""
    wanted = set(map(str, order_ids))
    facts = (row.get("metadata") or row.get("template_data") or {} for row in rows)
    return sum(str(fact.get("order_id")) in wanted for fact in facts)


def _those_that_do_something() -> list[services.Service]:
    return [services.payments(), services.email(), services.fulfillment()]


def _place(count: int, products: list[Product], progress: Progress) -> list[int]:
    """Place the orders as the shop does it. Returns their ids."""
    user = catalogue.current_user()
    placed: list[int] = []
    for number in progress.track(range(count), description="orders placed"):
        product = random.choice(products)
        quantity = random.randint(1, product.quantity_remaining)
        order = Order(
            product_id=product.id, user_id=user.id, quantity=quantity, email=f"load{number}@example.com", address="Load"
        )
        create_order(order)
        placed.append(order.id)
    return placed
