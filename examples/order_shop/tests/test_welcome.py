"""The welcome page, and the pages that make a service misbehave."""

import factories
import pytest

from shop.behaviours import Behaviour, behaviour_of
from shop.services import all_services, base
from shop.settings import read_settings


def boxes(page):
    return page.split("<details ")[1:]


def test_it_lists_the_orders(browser):
    assert "<span data-order-count>0</span> orders" in browser.get("/").text
    factories.order()
    page = browser.get("/").text
    assert "<span data-order-count>1</span> order<" in page
    assert 'href="/orders/1"' in page


def test_it_shows_what_is_up_and_what_is_not(browser):
    up = {box.split('"')[1]: "✅" in box for box in boxes(browser.get("/").text)}
    others = dict.fromkeys(["sqlite", "error-catcher", "payments", "fulfillment", "email"], True)
    assert up == {**others, "redis": False}, "there is no Redis in these tests"


def test_the_page_is_not_given_up_while_it_waits_for_services_that_do_not_answer():
    """It is there to say that they do not."""
    assert base.STATUS_TIMEOUT_S * len(all_services()) < read_settings({}).request_timeout_s


def test_a_service_that_misbehaves_is_still_up(browser):
    browser.post("/simulated_behaviors/email", data={"crash": "true", "throttle": "true"})
    [email] = [box for box in boxes(browser.get("/").text) if 'id="email"' in box]
    assert "✅" in email
    assert "<th>crash</th><td>yes</td>" in email


def test_an_update_comes_back_with_the_box_open(browser):
    answer = browser.post("/simulated_behaviors/payments", data={"sleep_s": "2.5", "crash": "true"})
    [payments] = [box for box in boxes(answer.text) if 'id="payments"' in box]
    assert "open>" in payments
    assert "<mark>Updated</mark>" in payments
    assert behaviour_of("payments") == Behaviour(throttle=False, crash=True, sleep_s=2.5)
    form = browser.get("/simulated_behaviors/payments/edit").text
    assert 'value="2.5"' in form
    assert "Update Payments" in form


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e9", "x"])
def test_a_sleep_that_cannot_be_is_refused(browser, seconds):
    assert browser.post("/simulated_behaviors/payments", data={"sleep_s": seconds}).status_code == 422
    assert behaviour_of("payments") == Behaviour()


def test_there_is_no_such_service(browser):
    assert browser.get("/simulated_behaviors/pizza/edit").status_code == 404
    assert browser.post("/simulated_behaviors/pizza").status_code == 404
