"""Orders in the database. Each function opens a session for a moment, so none is open while a service is called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from shop import database
from shop.models import Order


def save(order: Order) -> None:
    """Store a new order. It has its id when this returns."""
    with database.session() as session:
        session.add(order)
        session.commit()


def find(order_id: int) -> Order:
    """The order, with its product and its user. Raises NoResultFound."""
    with database.session() as session:
        return session.get_one(Order, order_id)


def store(order_id: int, **values: Any) -> None:
    """Note in the order what a service has said."""
    with database.session() as session:
        session.execute(update(Order).where(Order.id == order_id).values(**values))
        session.commit()


def latest(count: int) -> Sequence[Order]:
    """The newest orders, newest first."""
    with database.session() as session:
        return session.scalars(select(Order).order_by(Order.id.desc()).limit(count)).all()


def unsettled_ids(older_than: datetime) -> list[int]:
    """The orders that were neither declined nor completed, though they came before `older_than`."""
    waits = Order.charge_decline_reason.is_(None) & Order.fulfillment_request_id.is_(None)
    with database.session() as session:
        return list(session.scalars(select(Order.id).where(waits, Order.created_at < older_than).order_by(Order.id)))


def count() -> int:
    """How many orders there are."""
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0
