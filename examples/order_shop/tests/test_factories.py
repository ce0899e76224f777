"""What the factories make is what the shop itself would have taken."""

import factories

from shop.order_form import OrderForm


def errors_of(order):
    return OrderForm(str(order.product_id), str(order.quantity), order.email, order.address).errors(order.product)


def test_an_order_is_one_that_the_form_takes():
    assert errors_of(factories.order()) == ()


def test_an_order_of_what_is_declined_is_one_that_the_form_takes():
    assert errors_of(factories.order(factories.product(price_cents=factories.DECLINED_CENTS))) == ()


def test_what_is_sold_out_cannot_be_ordered():
    assert errors_of(factories.order(factories.product(stock=0))) == ("quantity is more than what is in stock",)
