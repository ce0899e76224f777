"""The tables: who orders, what there is, what was ordered, and how the services are to misbehave."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy import DateTime, ForeignKey, Index, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables of the shop."""

    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's own form


class User(Base):
    """Somebody who orders. There is no login: the first one is it."""

    __tablename__ = "users"
    __table_args__ = (Index("users_email", text("lower(email)"), unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    payments_customer_id: Mapped[str] = mapped_column(unique=True, default=lambda: f"cust_{secrets.token_hex(8)}")
    payments_payment_method_id: Mapped[str] = mapped_column(unique=True, default=lambda: f"pm_{secrets.token_hex(8)}")


class Product(Base):
    """Something to order. An order does not change its stock."""

    __tablename__ = "products"
    __table_args__ = (Index("products_name", text("lower(name)"), unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    quantity_remaining: Mapped[int]
    price_cents: Mapped[int]


class Order(Base):
    """An order, and what the services have said to it so far. An id that is None has not come yet."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    quantity: Mapped[int] = mapped_column(default=1)
    address: Mapped[str]
    email: Mapped[str]
    charge_completed_at: Mapped[datetime | None]
    charge_successful: Mapped[bool] = mapped_column(default=False)
    charge_decline_reason: Mapped[str | None]
    charge_id: Mapped[str | None]
    email_id: Mapped[str | None]
    fulfillment_request_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)

    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)

    @property
    def total_cents(self) -> int:
        """What is charged."""
        return self.quantity * self.product.price_cents


class SimulatedBehaviour(Base):
    """How a service is to misbehave, until further notice. Web and worker both read it."""

    __tablename__ = "simulated_behaviours"

    service: Mapped[str] = mapped_column(primary_key=True)
    throttle: Mapped[bool] = mapped_column(default=False)
    crash: Mapped[bool] = mapped_column(default=False)
    sleep_s: Mapped[float] = mapped_column(default=0.0)
