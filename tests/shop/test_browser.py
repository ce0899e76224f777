"""The shop in a real Chromium: what only a browser can say, and one order from the form to the last id."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from shop_photos import photograph

# What the pages look like and do by themselves is the same on any database: the rest runs on both.
looks = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def fill(page, *, product="Flux Capacitor", quantity="1", email="pat@example.com", address="1 Main Street"):
    labels = page.locator("select[name=product_id] option").all_inner_texts()
    page.select_option("select[name=product_id]", label=next(label for label in labels if label.startswith(product)))
    page.fill("input[name=quantity]", quantity)
    page.fill("input[name=email]", email)
    page.fill("textarea[name=address]", address)


def test_an_order_from_the_form_to_the_last_id(shop, visit):
    page = visit(f"{shop.url}/orders/new")
    fill(page, quantity="21")
    expect(page.locator("[data-total]")).to_have_text("$2,583.00")
    page.get_by_role("button", name="Place Order").click()
    expect(page).to_have_url(f"{shop.url}/orders/1")
    expect(page.locator("[data-step=payment] [data-state]")).to_have_text("In Progress")
    expect(page.locator("[data-step=email] [data-state]")).to_have_text("Pending successful charge")
    photograph(page, "order-in-progress")
    shop.start_worker()
    shop.wait_complete(1)
    page.get_by_role("link", name="Reload").click()
    for step in ("payment", "email", "fulfillment"):
        expect(page.locator(f"[data-step={step}] [data-state=done]")).to_be_visible()


@looks
def test_the_total_follows_what_is_chosen(shop, visit):
    page = visit(f"{shop.url}/orders/new")
    total = page.locator("[data-total]")
    expect(total).to_have_text("$123.00")
    page.fill("input[name=quantity]", "2")
    expect(total).to_have_text("$246.00")
    fill(page, product="Graviton Emitter", quantity="3")
    expect(total).to_have_text("$2,297.97")


@looks
def test_what_is_wrong_stands_above_the_form_with_what_was_typed(shop, visit):
    page = visit(f"{shop.url}/orders/new")
    fill(page, product="Self-sealing Stembolt", quantity="5", address="")
    page.get_by_role("button", name="Place Order").click()
    error = "Can't create the order: quantity is more than what is in stock, address can't be blank"
    expect(page.locator("aside[data-error]")).to_have_text(error)
    expect(page.locator("input[name=quantity]")).to_have_value("5")
    expect(page.locator("[data-total]")).to_have_text("$28,390.00")


@looks
def test_a_service_is_made_to_crash_and_is_marked_as_updated(shop, visit):
    page = visit(shop.url)
    payments = page.locator("[data-service=payments]")
    expect(payments).to_have_attribute("data-status", "up")
    payments.locator("summary").click()
    payments.get_by_role("link", name="Manage…").click()
    page.get_by_label("Crash?").check()
    page.get_by_role("button", name="Update Payments").click()
    expect(payments).to_have_attribute("open", "")
    expect(payments.locator("mark")).to_have_text("Updated")
    expect(payments.get_by_role("row", name="crash")).to_contain_text("yes")
    expect(payments).to_have_attribute("data-status", "up")
    photograph(page, "welcome-after-update")


@looks
def test_the_services_show_what_they_did(shop, visit):
    shop.start_worker()
    shop.wait_complete(shop.pages.place_order())
    page = visit(shop.fakes_url)
    page.get_by_role("link", name="payments").click()
    expect(page.get_by_role("cell", name="success")).to_be_visible()
    page.get_by_role("link", name="All services").click()
    page.get_by_role("link", name="error-catcher").click()
    expect(page.get_by_text("NONE YET")).to_be_visible()
