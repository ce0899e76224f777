"""What somebody has typed into the order form, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from shop.models import Order, Product, User


@dataclass(frozen=True, slots=True)
class OrderForm:
    """The fields as texts, so that a wrong one can be shown again."""

    product_id: str = ""
    quantity: str = "1"
    email: str = ""
    address: str = ""

    @property
    def product_number(self) -> int:
        """The id of the product; 0 if there is none."""
        return _whole_number(self.product_id)

    def errors(self, product: Product | None) -> tuple[str, ...]:
        """What is wrong, for people; nothing if it is an order. `product` is the one of the form, if it exists."""
        quantity = _whole_number(self.quantity)
        found = {
            "product must exist": product is None,
            "quantity must be greater than 0": quantity <= 0,
            "quantity is more than what is in stock": product is not None and quantity > product.quantity_remaining,
            "email can't be blank": not _is_text(self.email),
            "address can't be blank": not _is_text(self.address),
        }
        return tuple(message for message, is_wrong in found.items() if is_wrong)

    def order(self, product: Product, user: User) -> Order:
        """The order, not stored yet."""
        return Order(
            product_id=product.id,
            user_id=user.id,
            quantity=int(self.quantity),
            email=self.email.strip(),
            address=self.address.strip(),
        )


def _whole_number(text: str) -> int:
    """The number that was typed; 0 for anything else, also for one that no shop has in stock."""
    text = text.strip()
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def _is_text(text: str) -> bool:
    """Whether something is there. Databases refuse the character zero, which no keyboard has."""
    return bool(text.strip()) and "\0" not in text
