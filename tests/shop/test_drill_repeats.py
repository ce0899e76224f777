"""Drills D5, D5b, D6, D7, D12: what is done twice, and what is not."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import shop_process
from shop_process import FINAL, SOON, Shop
from worker_process import Run

from pillion.client import Client
from pillion.config import Config

JOBS = ("CompleteOrderJob", "SendOrderNotificationEmailJob", "RequestOrderFulfillmentJob")

# A worker that dies young is started again at once: dozens of kills in a row are what this is about.
AT_ONCE = ("-c", "import pillion.server.children as c; c.QUICK_DEATH_S = 0; from pillion.cli.main import main; main()")


def start_killed_worker(shop: Shop, folder: Path, kills: dict[str, str]) -> Run:
    """A worker that dies once for each order in `kills`, at the spot that is named there: see shop_kills."""
    if kills:
        (folder / "kills.json").write_text(json.dumps(kills))
    shutil.copy(Path(shop_process.__file__).parent / "shop_kills.py", shop.folder)
    options = ("-c", "1", "-r", "shop_kills", "-r", SOON)
    return shop.start_worker(*options, pillion=AT_ONCE, SHOP_KILLS=str(folder), SHOP_MAIL_LOCK_S="2")


def spot_of(file: Path, function: str, code: str) -> str:
    """The spot before the one line of a file that is `code`."""
    [number] = [number for number, line in enumerate(file.read_text().splitlines(), 1) if line.strip() == code]
    return f"{function}:{number}:line"


def order_of(row: dict[str, str]) -> int:
    """The order that a row of a fake service is about."""
    return int(re.search(r'"order_id": "?(\d+)', row.get("Metadata") or row["Template Data"])[1])


class TestD5CrashAfterTheMailWasSent:
    """The email service sends the mail and then answers 503."""

    def crash_email_until(self, shop, rows, service):
        shop.pages.behave("email", crash="true")
        shop.start_worker("-r", SOON)
        order = shop.pages.place_order()
        shop.wait(lambda: len(shop.pages.rows(service)) >= rows, f"{rows} rows of {service}")
        shop.pages.behave("email")
        shop.wait_complete(order)

    @pytest.mark.parametrize("stage", ["stages.stage_1", "stages.stage_2b"])
    def test_one_job_for_everything_charges_again_and_again(self, open_shop, stage):
        shop = open_shop(stage)
        self.crash_email_until(shop, 3, "payments")
        assert len(shop.pages.charges()) >= 3

    def test_a_job_for_each_service_charges_once_but_sends_several_mails(self, open_shop):
        shop = open_shop("stages.stage_3")
        self.crash_email_until(shop, 3, "email")
        assert len(shop.pages.charges()) == 1
        assert len(shop.pages.rows("email")) >= 3

    @pytest.mark.parametrize("stage", ["stages.stage_4", FINAL])
    def test_d5b_who_asks_first_sends_one_mail(self, open_shop, stage):
        shop = open_shop(stage)
        order = shop.pages.place_order()
        mail = {"to": "pat@example.com", "template_id": "order-confirmation", "template_data": {"order_id": order}}
        crashed = shop.pages.call_service("POST", "/email/send", json=mail, headers={"X-Crash": "true"})
        assert crashed.status_code == 503
        shop.start_worker()
        page = shop.wait_complete(order)
        [sent] = shop.pages.rows("email")
        assert sent["Email Id"] in page.texts["email"]

    @pytest.mark.parametrize("stage", ["stages.stage_4", FINAL])
    def test_d5b_one_mail_also_while_the_service_crashes(self, open_shop, stage):
        shop = open_shop(stage)
        shop.pages.behave("email", crash="true")
        shop.start_worker("-r", SOON)
        order = shop.pages.place_order()
        shop.wait(lambda: [job.retry_count for job in shop.retries] >= [1], "two failures")
        shop.pages.behave("email")
        shop.wait_complete(order)
        assert len(shop.pages.rows("email")) == 1


class TestD6SameKey:
    @pytest.mark.parametrize("stage", ["stages.stage_5", FINAL])
    def test_a_delivery_that_was_requested_before_is_not_requested_again(self, open_shop, stage, storage):
        """The order has forgotten it: as if the worker had been killed before it wrote it down."""
        shop = open_shop(stage)
        worker = shop.start_worker()
        order = shop.pages.place_order()
        before = shop.wait_complete(order)
        job = f"{stage or 'shop.jobs'}.RequestOrderFulfillmentJob"
        worker.wait_log(" INFO: done", times=3)
        shop.sql("UPDATE orders SET fulfillment_request_id = NULL")
        assert shop.pages.order(order).states["fulfillment"] == "in-progress"
        Client(storage, Config()).push({"class": job, "args": [order]})
        worker.wait_log(" INFO: done", times=4)
        assert len(shop.pages.rows("fulfillment")) == 1
        [id_before] = re.findall(r"fr_\w+", before.texts["fulfillment"])
        assert id_before in shop.pages.order(order).texts["fulfillment"]


class TestD7KilledAfterTheCharge:
    def test_with_a_key_the_customer_pays_once(self, shop, tmp_path):
        charged = spot_of(shop.folder / "shop/order_steps.py", "charge", "now = datetime.now(UTC)")
        order = shop.pages.place_order()
        start_killed_worker(shop, tmp_path, {str(order): charged})
        page = shop.wait_complete(order)
        assert (tmp_path / f"killed-{order}").exists()
        [charge] = shop.pages.charges()
        assert charge["Charge Id"] in page.texts["payment"]


class TestD12CrashAtEachLine:
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("job", JOBS)
    def test_one_charge_one_mail_one_request_for_each_order(self, shop, tmp_path, job):
        """A job, and an order for each of its lines, killed right before that line."""
        spots = self.lines_of_the_jobs(shop, tmp_path)[job]
        orders = {shop.pages.place_order(email=f"{n}@example.com"): spot for n, spot in enumerate(spots)}
        start_killed_worker(shop, tmp_path, {str(order): spot for order, spot in orders.items()})
        for kills in range(1, len(orders) + 1):
            shop.wait(lambda kills=kills: len(list(tmp_path.glob("killed-*"))) >= kills, f"kill {kills}")
        for order in orders:
            shop.wait_complete(order)
        shop.wait(lambda: shop.stats.enqueued() == shop.retries.size() == shop.works.size() == 0, "the last job")
        for service in ("payments", "email", "fulfillment"):
            numbers = [order_of(row) for row in shop.pages.rows(service)]
            assert sorted(numbers) == sorted(orders), service
        assert shop.dead.size() == 0
        assert shop.pages.rows("error-catcher") == [], "a kill is nobody's business: the retry heals it"

    def lines_of_the_jobs(self, shop, tmp_path) -> dict[str, list[str]]:
        """Let one order go its way, and see by which lines each job comes, with the steps that it calls."""
        worker = start_killed_worker(shop, tmp_path, {})
        shop.pages.place_order()
        worker.wait_log(" INFO: done", times=3)
        assert worker.stop() == 0
        shop.pages.clear_services()
        spots: dict[str, list[str]] = {}
        job = ""
        for spot in (tmp_path / "spots.txt").read_text().splitlines():
            if ".perform:" in spot:
                job = spot.partition(".")[0]
            spots.setdefault(job, []).append(spot)
        assert tuple(spots) == JOBS
        return {job: list(dict.fromkeys(each)) for job, each in spots.items()}
