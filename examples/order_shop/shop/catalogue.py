"""Who orders, and what there is to order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from shop import database
from shop.models import Product, User


def current_user() -> User:
    """There is no login: the first user is it."""
    with database.session() as session:
        return session.scalars(select(User).order_by(User.id).limit(1)).one()


def available_products() -> Sequence[Product]:
    """The products that are in stock, by name."""
    with database.session() as session:
        return session.scalars(select(Product).where(Product.quantity_remaining > 0).order_by(Product.name)).all()


def find_product(product_id: int) -> Product | None:
    """The product, if it exists."""
    with database.session() as session:
        return session.get(Product, product_id)


def has_user() -> bool:
    """Whether the sample data has been loaded."""
    with database.session() as session:
        return session.scalar(select(User.id).limit(1)) is not None
