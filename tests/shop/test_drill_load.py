"""Drill D10: many orders at once fill the charts; here in the fast mode and with fewer of them."""

from __future__ import annotations

import re

import pytest

from pillion.api import Metrics

ORDERS = 60


class TestD10Load:
    def test_every_order_is_completed_and_the_metrics_have_its_jobs(self, shop):
        worker = shop.start_worker("-c", "10")
        output = shop.command("load", "--orders", str(ORDERS), "--products", "3").stdout
        assert "orders placed" in output
        assert "orders settled" in output
        assert "100%" in output
        assert output.endswith(f"{ORDERS} orders: {ORDERS} charges, {ORDERS} emails, {ORDERS} requests\n")
        for service in ("payments", "email", "fulfillment"):
            assert len(shop.pages.rows(service)) == ORDERS, service
        assert worker.stop() == 0, "and what it has counted is written"
        counted = Metrics(fleet=shop.fleet).top_jobs().job_results
        assert {name: job.totals["p"] for name, job in counted.items()} == {
            "shop.jobs.CompleteOrderJob": ORDERS,
            "shop.jobs.SendOrderNotificationEmailJob": ORDERS,
            "shop.jobs.RequestOrderFulfillmentJob": ORDERS,
        }

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_command_shows_how_long_pages_take_while_payments_are_slow(self, shop):
        """It shows a figure; whether that is good is for people to say, as it is that of the machine."""
        shop.start_worker()
        output = shop.command("page-times", "--orders", "3", "--sleep", "3600").stdout
        assert output.startswith("3 orders, one after the other, while payments take 3600 s to answer\n")
        times = re.findall(r"^(.+):  p50 (\d+) ms  p99 (\d+) ms  slowest (\d+) ms$", output, re.MULTILINE)
        assert [name for name, *_ in times] == ["the form is sent", "the order's page"]
        for _, p50, p99, slowest in times:
            assert 0 < int(p50) <= int(p99) == int(slowest)

    def test_pauses_are_asked_for_by_a_variable(self, shop):
        """The slow mode of the book. The job has begun, and does nothing yet."""
        shop.start_worker(SHOP_PAUSES_S="3600")
        order = shop.pages.place_order()
        shop.wait(lambda: shop.works.size() == 1, "a busy worker")
        assert shop.pages.charges() == []
        assert shop.pages.order(order).states["payment"] == "in-progress"
