"""Each stage of the tutorial takes orders. What is wrong with a stage is shown by the drills."""

from importlib import import_module

import factories
import pytest
from pillion import Job

from shop import catalogue, orders, services
from shop.models import Order

STAGES = ["0", "1", "2a", "2b", "3", "4", "5", "6"]


@pytest.fixture(params=STAGES)
def stage(request):
    return import_module(f"stages.stage_{request.param}")


def place(stage, product):
    user = catalogue.current_user()
    order = Order(product_id=product.id, user_id=user.id, quantity=1, email=user.email, address="1 Main Street")
    stage.create_order(order)
    Job.drain_all()
    return orders.find(order.id)


def test_an_order_is_completed(stage):
    order = place(stage, factories.product())
    assert order.charge_successful
    assert [row["charge_id"] for row in services.payments().rows()] == [order.charge_id]
    assert [row["email_id"] for row in services.email().rows()] == [order.email_id]
    assert [row["request_id"] for row in services.fulfillment().rows()] == [order.fulfillment_request_id]


def test_an_order_is_declined(stage):
    order = place(stage, factories.product(price_cents=factories.DECLINED_CENTS))
    assert order.charge_decline_reason == "Insufficient funds"
    assert services.email().rows() == services.fulfillment().rows() == []
