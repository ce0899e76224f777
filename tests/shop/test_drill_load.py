"""Drill D10: many orders at once fill the charts; here in the fast mode and with fewer of them."""

from __future__ import annotations

from pillion.api import Metrics

ORDERS = 60


class TestD10Load:
    def test_every_order_is_completed_and_the_metrics_have_its_jobs(self, shop):
        worker = shop.start_worker("-c", "10")
        output = shop.command("load", "--orders", str(ORDERS), "--products", "3").stdout
        assert "orders placed" in output
        assert "orders settled" in output
        assert "100%" in output
        for service in ("payments", "email", "fulfillment"):
            assert len(shop.pages.rows(service)) == ORDERS, service
        assert worker.stop() == 0, "and what it has counted is written"
        counted = Metrics(fleet=shop.fleet).top_jobs().job_results
        assert {name: job.totals["p"] for name, job in counted.items()} == {
            "shop.jobs.CompleteOrderJob": ORDERS,
            "shop.jobs.SendOrderNotificationEmailJob": ORDERS,
            "shop.jobs.RequestOrderFulfillmentJob": ORDERS,
        }

    def test_pauses_are_asked_for_by_a_variable(self, shop):
        """The slow mode of the book. The job has begun, and does nothing yet."""
        shop.start_worker(SHOP_PAUSES_S="3600")
        order = shop.pages.place_order()
        shop.wait(lambda: shop.works.size() == 1, "a busy worker")
        assert shop.pages.charges() == []
        assert shop.pages.order(order).states["payment"] == "in-progress"
