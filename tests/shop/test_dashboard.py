"""What Pillion's dashboard shows and does during drills D1, D2, D4, D8, D10: inside of the shop, in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from shop_photos import photograph, wait_for_charts
from shop_process import LATER, SOON


@pytest.fixture
def row(shop, visit):
    """The row of a list of the dashboard that has this text."""

    def find(path, text):
        page = visit(f"{shop.url}/sidekiq{path}")
        return page, page.get_by_role("row").filter(has_text=text)

    return find


def test_d1_three_more_jobs_are_processed(shop, visit):
    shop.start_worker()
    shop.wait_complete(shop.pages.place_order())
    shop.wait(lambda: shop.stats.processed() == 3, "three processed jobs")
    page = visit(shop.url)
    page.get_by_role("link", name="Jobs").click()
    processed = page.get_by_role("region", name="Numbers").locator("div").filter(has_text="Processed")
    expect(processed).to_contain_text("3")
    photograph(page, "dashboard")


def test_d2_a_failed_job_shows_its_error_and_a_click_on_retry_runs_it(shop, row):
    shop.add_bug()
    worker = shop.start_worker("-r", LATER)
    order = shop.pages.place_order()
    shop.wait(lambda: shop.retries.size() == 1, "a job that waits for its retry")
    assert worker.stop() == 0
    shop.mend_bug()
    shop.start_worker()
    page, failed = row("/retries?view=list", "shop.jobs.CompleteOrderJob")
    expect(failed).to_contain_text("RuntimeError")
    expect(failed).to_contain_text("a bug")
    photograph(page, "dashboard-retries")
    failed.get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry now").click()
    expect(failed).to_have_count(0)
    shop.wait_complete(order)


def test_d4_a_dead_job_is_on_its_page(shop, row):
    shop.pages.behave("payments", crash="true")
    shop.start_worker("-r", SOON, "--max-retries", "1")
    shop.pages.place_order()
    shop.wait(lambda: shop.dead.size() == 1, "a dead job")
    page, dead = row("/dead?view=list", "shop.jobs.CompleteOrderJob")
    expect(dead).to_contain_text("RetryableError")
    photograph(page, "dashboard-dead")


def test_d8_a_slow_job_is_busy_in_queue_high(shop, row):
    shop.pages.behave("payments", sleep_s="3600")
    shop.start_worker()
    shop.pages.place_order()
    shop.wait(lambda: shop.works.size() == 1, "a busy worker")
    page, busy = row("/busy", "shop.jobs.CompleteOrderJob")
    expect(busy).to_contain_text("high")
    photograph(page, "dashboard-busy")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_d10_many_orders_fill_the_metrics(shop, row):
    worker = shop.start_worker(SHOP_PAUSES_S="0.1")
    shop.command("load", "--orders", "40", "--products", "2")
    assert worker.stop() == 0, "and what it has counted is written"
    for job in ("CompleteOrderJob", "SendOrderNotificationEmailJob", "RequestOrderFulfillmentJob"):
        page, counted = row("/metrics", f"shop.jobs.{job}")
        expect(counted).to_contain_text("40")
    wait_for_charts(page)
    photograph(page, "dashboard-metrics")
