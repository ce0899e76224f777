"""Drills D2, D3, D3b, D4, D13: a service fails, the code fails, a job dies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from shop_process import FINAL, LATER, SOON


class TestD2PermanentFailure:
    def test_each_attempt_is_told_and_a_click_on_retry_after_the_fix_completes_the_order(self, shop):
        shop.add_bug()
        worker = shop.start_worker("-r", LATER)
        order = shop.pages.place_order()
        shop.wait(lambda: shop.retries.size() == 1, "a job that waits for its retry")
        [failed] = shop.retries
        assert (failed.error_class, failed.error_message) == ("RuntimeError", "a bug")
        assert failed.at > datetime.now(UTC)
        assert shop.pages.order(order).states["payment"] == "in-progress"

        failed.retry()
        shop.wait(lambda: len(shop.pages.rows("error-catcher")) == 2, "two notifications, one for each attempt")
        shop.wait(lambda: shop.retries.size() == 1, "a job that waits again")
        assert {row["Exception Message"] for row in shop.pages.rows("error-catcher")} == {"a bug"}

        assert worker.stop() == 0
        shop.mend_bug()
        shop.start_worker()
        [failed] = shop.retries
        failed.retry()
        shop.wait_complete(order)
        assert shop.retries.size() == 0


class TestD3TransientFailure:
    def test_the_next_retry_completes_the_order(self, open_shop):
        shop = open_shop("stages.stage_2a")
        order = self.fail_and_recover(shop)
        assert shop.pages.order(order).is_complete
        told = shop.pages.rows("error-catcher")
        assert {row["Exception Class"] for row in told} == {"ServerError"}, "what stage 2b is there for"

    @pytest.mark.parametrize("stage", ["stages.stage_2b", "stages.stage_6", FINAL])
    def test_d3b_nobody_is_told_of_what_a_retry_heals(self, open_shop, stage):
        shop = open_shop(stage)
        self.fail_and_recover(shop)
        assert shop.pages.rows("error-catcher") == []

    def fail_and_recover(self, shop) -> int:
        shop.pages.behave("payments", crash="true")
        shop.start_worker("-r", SOON)
        order = shop.pages.place_order()
        [failed] = shop.wait(lambda: list(shop.retries), "a job that waits for its retry")
        assert failed.error_message.startswith(("503: ", "504: "))
        shop.pages.behave("payments")
        shop.wait_complete(order)
        return order


class TestD4Death:
    @pytest.mark.parametrize("stage", ["stages.stage_2b", FINAL])
    def test_a_job_that_dies_is_told_once_and_is_among_the_dead(self, open_shop, stage):
        shop = open_shop(stage)
        shop.pages.behave("payments", crash="true")
        shop.start_worker("-r", SOON, "--max-retries", "1")
        order = shop.pages.place_order()
        shop.wait(lambda: shop.dead.size() == 1, "a dead job")
        [dead] = shop.dead
        assert (dead.args, dead.retry_count) == ([order], 1)
        [told] = shop.wait(lambda: shop.pages.rows("error-catcher"), "the death to be told")
        assert f"CompleteOrderJob [{order}] has died: 50" in told["Exception Message"]


class TestD13Throttle:
    @pytest.mark.parametrize("service", ["payments", "email", "fulfillment"])
    def test_a_throttled_call_is_tried_again_without_a_word(self, shop, service):
        shop.pages.behave(service, throttle="true")
        shop.start_worker("-r", SOON)
        order = shop.pages.place_order()
        [failed] = shop.wait(lambda: list(shop.retries), "a job that waits for its retry")
        assert failed.error_message.startswith("429: ")
        shop.pages.behave(service)
        shop.wait_complete(order)
        assert shop.pages.rows("error-catcher") == []

    def test_a_call_that_is_wrong_is_told(self, shop):
        """422 is no 429: trying again does not help, somebody has to look."""
        order = shop.pages.place_order()
        shop.sql("UPDATE orders SET address = ' '")
        shop.start_worker("-r", LATER)
        [told] = shop.wait(lambda: shop.pages.rows("error-catcher"), "a notification")
        assert told["Exception Class"] == "ClientError"
        assert "Missing address" in told["Exception Message"]
        assert shop.pages.order(order).states["fulfillment"] == "in-progress"
