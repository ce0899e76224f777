"""What a new shop has: one user, four products."""

from __future__ import annotations

from shop import database
from shop.models import Product, User

PRODUCTS = (
    ("Flux Capacitor", 100, 12300),
    ("Self-sealing Stembolt", 4, 567800),
    ("Graviton Emitter", 32, 76599),
    ("Thopter Cleaning Fluid", 1000, 1244),
)


def load() -> None:
    """Add the user and the products to an empty database."""
    with database.session() as session:
        session.add(User(email="pat@example.com"))
        session.add_all(
            Product(name=name, quantity_remaining=quantity, price_cents=cents) for name, quantity, cents in PRODUCTS
        )
        session.commit()
