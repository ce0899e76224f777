"""Drills D1, D8, D9, D11: an order goes its way, slowly or not at all."""

from __future__ import annotations

import pytest

PENDING = {"payment": "in-progress", "email": "pending", "fulfillment": "pending"}
DONE = {"payment": "done", "email": "done", "fulfillment": "done"}
HIGH = ("high", "shop.jobs.CompleteOrderJob")


class TestD1HappyPath:
    def test_the_page_says_in_progress_at_once_and_later_shows_three_ids(self, shop):
        order = shop.pages.place_order(quantity="21")
        assert shop.pages.order(order).states == PENDING
        worker = shop.start_worker()
        page = shop.wait_complete(order)
        assert page.states == DONE
        [charge] = shop.pages.charges()
        [email] = shop.pages.rows("email")
        [request] = shop.pages.rows("fulfillment")
        assert charge["Charge Id"] in page.texts["payment"]
        assert email["Email Id"] in page.texts["email"]
        assert request["Request Id"] in page.texts["fulfillment"]
        assert charge["Amount Cents"] == "258300"
        shop.wait(lambda: shop.stats.processed() == 3, "three processed jobs")
        assert worker.log.count(" INFO: done") == 3
        assert shop.pages.rows("error-catcher") == []

    def test_the_first_stage_does_it_all_in_one_job(self, open_shop):
        shop = open_shop("stages.stage_1")
        order = shop.pages.place_order()
        worker = shop.start_worker()
        shop.wait_complete(order)
        shop.wait(lambda: shop.stats.processed() == 1, "one processed job")
        assert worker.log.count(" INFO: done") == 1

    def test_without_jobs_the_customer_waits_for_everything(self, open_shop):
        shop = open_shop("stages.stage_0")
        assert shop.pages.order(shop.pages.place_order()).states == DONE

    def test_the_jobs_carry_the_request_and_the_customer(self, shop):
        worker = shop.start_worker()
        shop.pages.place_order()
        worker.wait_log(" INFO: done", times=3)
        done = [line for line in worker.log.splitlines() if " INFO: done" in line]
        assert all("meta.customer=1" in line and "meta.request_id=" in line for line in done)


class TestD8SlowPayments:
    def test_the_order_is_taken_and_its_job_is_busy_in_queue_high(self, shop):
        shop.pages.behave("payments", sleep_s="3600")
        shop.start_worker()
        order = shop.pages.place_order()
        assert shop.pages.order(order).states == PENDING
        shop.wait(lambda: [(work.queue, work.job.display_class) for work in shop.works] == [HIGH], "a busy worker")
        assert shop.pages.charges() == []

    def test_without_jobs_the_request_is_given_up(self, open_shop):
        shop = open_shop("stages.stage_0")
        shop.pages.behave("payments", sleep_s="3600")
        answer = shop.pages.submit_order()
        assert answer.status_code == 503
        assert answer.text == "This page took longer than 5 seconds."


class TestD9Decline:
    @pytest.mark.parametrize("stage", ["stages.stage_1", "stages.stage_6", ""])
    def test_the_reason_is_shown_and_nothing_else_happens(self, open_shop, stage):
        shop = open_shop(stage)
        shop.add_product("Bad Luck", stock=1, price_cents=9999)
        worker = shop.start_worker()
        order = shop.pages.place_order("Bad Luck")
        worker.wait_log(" INFO: done")
        assert shop.pages.order(order).texts["payment"] == "Payment Declined: Insufficient funds"
        [row] = shop.sql("SELECT charge_id, email_id, fulfillment_request_id FROM orders")
        assert set(row.values()) == {None}
        assert shop.pages.rows("email") == shop.pages.rows("fulfillment") == shop.pages.charges() == []
        assert shop.stats.enqueued() == 0


class TestD11NoWorker:
    def test_the_check_tells_the_error_catcher(self, shop):
        result = shop.try_command("check")
        assert result.returncode == 1
        assert "Pillion is not running!" in result.stderr
        [row] = shop.pages.rows("error-catcher")
        assert row["Exception Message"] == "Pillion is not running!"

    def test_with_a_worker_it_says_nothing(self, shop):
        shop.start_worker()
        assert shop.command("check").stdout == ""
        assert shop.pages.rows("error-catcher") == []

    def test_an_order_is_taken_while_redis_is_away_and_completed_in_the_night(self, open_shop, own_redis):
        """A customer who sees an error orders again, and pays twice."""
        shop = open_shop(REDIS_URL=own_redis.url)
        own_redis.kill()
        order = shop.pages.place_order()
        assert shop.pages.order(order).states == PENDING
        own_redis.start()
        shop.sql("UPDATE orders SET created_at = :long_ago", long_ago="2020-01-01 00:00:00")
        shop.start_worker()
        shop.command("nightly")
        shop.wait_complete(order)

    def test_orders_that_nobody_completed_are_completed_in_the_night(self, shop, raw):
        """The web process died between storing the order and pushing its job."""
        order = shop.pages.place_order()
        raw.flushdb()
        shop.sql("UPDATE orders SET created_at = :long_ago", long_ago="2020-01-01 00:00:00")
        shop.start_worker()
        shop.command("nightly")
        shop.wait_complete(order)
