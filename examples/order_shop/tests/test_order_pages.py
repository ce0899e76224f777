"""Placing an order, and looking at it, as a customer does."""

import factories
import pytest
from pillion import Job, testing

from shop import catalogue, orders
from shop.jobs import CompleteOrderJob

ADDRESS = "1 Main Street"


def fields(**changed):
    product = catalogue.available_products()[0]
    filled = {"product_id": str(product.id), "quantity": "2", "email": "pat@example.com", "address": ADDRESS}
    return {**filled, **changed}


def test_an_order_is_corrected_placed_and_completed(browser):
    refused = browser.post("/orders", data=fields(quantity="0", address=""))
    assert refused.status_code == 422
    message = "Can't create the order: quantity must be greater than 0, address can&#39;t be blank"
    assert f"<aside data-error>{message}</aside>" in refused.text

    placed = browser.post("/orders", data=fields())
    assert placed.url.path == "/orders/1"
    assert placed.text.count("In Progress") == 1
    assert placed.text.count("Pending successful charge") == 2
    testing.assert_enqueued(CompleteOrderJob, 1, queue="high", times=1)

    assert Job.drain_all() == 3
    page = browser.get("/orders/1").text
    order = orders.find(1)
    assert all(name in page for name in (order.charge_id, order.email_id, order.fulfillment_request_id))


def test_a_declined_order_says_why(browser):
    product = factories.product(price_cents=factories.DECLINED_CENTS)
    browser.post("/orders", data=fields(product_id=str(product.id), quantity="1"))
    Job.drain_all()
    assert "Payment Declined: Insufficient funds" in browser.get("/orders/1").text


def test_more_than_in_stock_is_refused(browser):
    product = factories.product(stock=4)
    answer = browser.post("/orders", data=fields(product_id=str(product.id), quantity="5"))
    assert "quantity is more than what is in stock" in answer.text
    assert browser.post("/orders", data=fields(product_id=str(product.id), quantity="4")).status_code == 200


def test_only_what_is_in_stock_is_offered_by_name(browser):
    factories.product(name="Sold Out", stock=0)
    page = browser.get("/orders/new").text
    assert "Sold Out" not in page
    assert page.index("Flux Capacitor") < page.index("Graviton Emitter") < page.index("Thopter Cleaning Fluid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"product_id": ""},
        {"product_id": "99999999999999999999"},
        {"product_id": "1; DROP TABLE orders"},
        {"quantity": "1.5"},
        {"quantity": "9" * 40},
        {"quantity": "²"},
        {"email": " "},
        {"email": "a\0b"},
        {"address": "\0"},
    ],
)
def test_what_cannot_be_an_order_is_shown_again_and_changes_nothing(browser, wrong):
    answer = browser.post("/orders", data=fields(**wrong))
    assert answer.status_code == 422
    assert "Can't create the order" in answer.text
    assert orders.count() == 0
    assert Job.jobs == []


def test_what_was_typed_is_text_and_no_html(browser):
    browser.post("/orders", data=fields(address="<script>alert(1)</script>"))
    page = browser.get("/orders/1").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("number", ["7", "0", "99999999999999999999", "x"])
def test_an_order_that_is_not_there(browser, number):
    assert browser.get(f"/orders/{number}").status_code in (404, 422)
