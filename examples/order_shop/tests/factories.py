"""Orders and products for tests."""

from shop import catalogue, database, orders
from shop.models import Order, Product


def product(*, price_cents: int = 12_300, stock: int = 5, name: str = "Test Product") -> Product:
    """A product. One for 99.99 is declined by the payments service."""
    made = Product(name=name, quantity_remaining=stock, price_cents=price_cents)
    with database.session() as session:
        session.add(made)
        session.commit()
    return made


def set_price(of: Product, price_cents: int) -> None:
    """The product costs something else from now on."""
    with database.session() as session:
        session.get_one(Product, of.id).price_cents = price_cents
        session.commit()


def order(of: Product | None = None, *, quantity: int = 1, address: str = "1 Main Street") -> Order:
    """An order that is stored and of which no job knows yet."""
    user = catalogue.current_user()
    of = of or product()
    made = Order(product_id=of.id, user_id=user.id, quantity=quantity, email=user.email, address=address)
    orders.save(made)
    return orders.find(made.id)


DECLINED_CENTS = 9999
