"""The load drill: many orders at once, to fill the charts.

`make shop-load` places 1,000 orders for 10 products. A worker that was started with SHOP_PAUSES_S=2 pauses up to two
seconds before each job, as the book has it: 20 minutes. Without that it is the fast mode: a minute or two.
"""

from __future__ import annotations

import random
import secrets
import time

from rich.progress import Progress, TaskID
from sqlalchemy import func, select

from shop import catalogue, database
from shop.models import Order, Product
from shop.order_creator import create_order

LOOK_EVERY_S = 0.5
FEW_IN_STOCK = 1, 10
PRICE_CENTS = 10_000, 19_999


def run(count: int, products: int) -> None:
    """Place `count` orders for so many new products, and show progress until all are settled."""
    chosen = create_products(products)
    with Progress() as progress:
        placed = progress.add_task("orders placed", total=count)
        first = _place(count, chosen, progress, placed)
        settled = progress.add_task("orders settled", total=count)
        while (done := count_settled(first)) < count:
            progress.update(settled, completed=done)
            time.sleep(LOOK_EVERY_S)
        progress.update(settled, completed=done)


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


def _place(count: int, products: list[Product], progress: Progress, task: TaskID) -> int:
    """Place the orders as the shop does it. Returns the id of the first."""
    user = catalogue.current_user()
    first = 0
    for number in range(count):
        product = random.choice(products)
        quantity = random.randint(1, product.quantity_remaining)
        order = Order(
            product_id=product.id, user_id=user.id, quantity=quantity, email=f"load{number}@example.com", address="Load"
        )
        create_order(order)
        first = first or order.id
        progress.advance(task)
    return first


def count_settled(first_id: int) -> int:
    """How many orders from this one on are declined or completed."""
    is_settled = Order.charge_decline_reason.is_not(None) | Order.fulfillment_request_id.is_not(None)
    with database.session() as session:
        return session.scalar(select(func.count()).where(Order.id >= first_id, is_settled)) or 0
