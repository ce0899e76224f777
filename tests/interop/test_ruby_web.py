"""Ruby's web app shows what Pillion wrote, and its buttons act on it."""

import html
import json
import re
import time
from urllib.parse import quote

import pytest

from pillion.wire.backtrace import compress
from pillion.wire.codec import dumps

ERROR = {
    "retry_count": 2,
    "error_class": "shop.OutOfTea",
    "error_message": "no tëa <b>today</b>",
    "failed_at": 1795300070895,
    "retried_at": 1795300090895,
    "error_backtrace": compress(["shop/tea.py:7:in brew", "shop/kitchen.py:99:in serve"]),
}
SCORE = {"retry": 4102444800.25, "dead": 1795300000.5, "schedule": 4102444900.75}
PAGE = {"retry": "/retries", "dead": "/morgue", "schedule": "/scheduled"}


@pytest.fixture
def jid(both):
    """The jid of a job of Pillion."""
    return lambda key: json.loads(both.members(key)[0])["jid"]


@pytest.fixture
def stored(both):
    """Put jobs that Pillion wrote into a queue and into each sorted set; returns nothing."""
    both.push("shop.Brew", "naïve ☃", 42, {"milk": None}, queue="tea-room", tags=["urgent"], tenant="ACME")
    for key, score in SCORE.items():
        both.push(
            "shop.Brew", "naïve ☃", 42, {"milk": None}, queue="tea-room", tags=["urgent"], at=score, tenant="ACME"
        )
        (raw,) = both.raw.zrangebyscore("schedule", score, score)
        both.raw.zrem("schedule", raw)
        both.raw.zadd(key, {dumps(json.loads(raw) | ({} if key == "schedule" else ERROR)): score})
    both.raw.mset({"stat:processed": 1234, "stat:failed": 56})


def text_of(page):
    """What a reader sees of HTML."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


@pytest.mark.usefixtures("stored")
class TestPages:
    def test_the_dashboard_shows_the_counters(self, both):
        page = text_of(both.ruby.look("/"))
        for number in ("1,234", "56"):
            assert number in page

    def test_the_list_of_queues_has_the_queue(self, both):
        assert "tea-room" in text_of(both.ruby.look("/queues"))

    @pytest.mark.parametrize("path", ["/queues/tea-room", "/retries", "/scheduled", "/morgue"])
    def test_a_list_shows_class_and_arguments(self, both, path):
        page = text_of(both.ruby.look(path))
        for text in ("shop.Brew", '"naïve ☃", 42, {"milk"=>nil}', "urgent"):
            assert text in page

    @pytest.mark.parametrize("key", ["retry", "dead"])
    def test_a_failed_job_shows_its_error(self, both, key):
        assert "shop.OutOfTea: no tëa <b>today</b>" in " ".join(text_of(both.ruby.look(PAGE[key])).split())

    @pytest.mark.parametrize("key", ["retry", "dead"])
    def test_the_page_of_a_failed_job_has_its_error_and_backtrace(self, both, jid, key):
        page = text_of(both.ruby.look(f"{PAGE[key]}/{SCORE[key]}-{jid(key)}"))
        for text in ("shop.Brew", "tea-room", "shop.OutOfTea", "no tëa <b>today</b>", "shop/tea.py:7:in brew"):
            assert text in page

    @pytest.mark.parametrize("key", SCORE)
    def test_the_page_of_a_job_has_its_own_keys(self, both, jid, key):
        assert '"tenant"=>"ACME"' in text_of(both.ruby.look(f"{PAGE[key]}/{SCORE[key]}-{jid(key)}"))

    def test_the_busy_page_is_there_without_processes(self, both):
        both.ruby.look("/busy")

    def test_the_numbers_for_the_graph(self, both):
        numbers = json.loads(both.ruby.look("/stats"))["sidekiq"]
        shown = {name: numbers[name] for name in ("processed", "failed", "enqueued", "scheduled", "retries", "dead")}
        assert shown == {"processed": 1234, "failed": 56, "enqueued": 1, "scheduled": 1, "retries": 1, "dead": 1}


class TestARealFailure:
    def test_the_web_app_shows_a_job_that_a_pillion_worker_failed(self, fleet):
        key = f"web-{time.time()}"
        jid = fleet.push("Flaky", key, queue="python", backtrace=True)
        _, score = fleet.entry("retry", jid)
        page = text_of(fleet.ruby.look(f"/retries/{score!r}-{jid}"))
        for text in ("Flaky", f'"{key}"', "interop_jobs.Broken", f"out of tëa ☕ {key}", "interop_jobs.py"):
            assert text in page

    def test_its_retry_button_lets_pillion_run_it(self, fleet):
        key = f"button-{time.time()}"
        jid = fleet.push("Flaky", key, queue="python")
        _, score = fleet.entry("retry", jid)
        fleet.ledger.mend(key)
        fleet.ruby.press("/retries", f"/retries/{score!r}-{jid}", retry="Retry Now")
        assert fleet.ledger.wait_for(jid)["by"] == "pillion"
        assert not [member for member in fleet.members("retry") if jid.encode() in member]


@pytest.mark.usefixtures("stored")
class TestButtons:
    """Each acts on the one job, and leaves it in just one place."""

    @pytest.fixture
    def press(self, both, jid):
        """Press a button of the page of a job; the page of the same job shows the form."""

        def press(key, button):
            path = f"{PAGE[key]}/{SCORE[key]}-{jid(key)}"
            both.ruby.press(PAGE[key], path, **{button: "1"})

        return press

    @pytest.fixture
    def places(self, both):
        """Where a job is, each place as often as it is there."""

        def places(jid):
            zsets = [key for key in SCORE for raw in both.members(key) if jid.encode() in raw]
            return zsets + ["queue" for raw in both.raw.lrange("queue:tea-room", 0, -1) if jid.encode() in raw]

        return places

    @pytest.mark.parametrize(
        ("key", "button", "place"),
        [
            ("retry", "retry", ["queue"]),
            ("retry", "kill", ["dead"]),
            ("retry", "delete", []),
            ("dead", "retry", ["queue"]),
            ("dead", "delete", []),
            ("schedule", "add_to_queue", ["queue"]),
            ("schedule", "delete", []),
        ],
    )
    def test_it_moves_the_job(self, both, jid, press, places, key, button, place):
        moved, others = jid(key), {other: jid(other) for other in SCORE if other != key}
        press(key, button)
        assert places(moved) == place
        assert {
            other: jid(other) if other != "dead" or place != ["dead"] else others[other] for other in others
        } == others

    def test_several_jobs_chosen_in_the_list(self, both, jid, places):
        retried = jid("retry")
        both.ruby.press("/retries", "/retries", key=[f"{SCORE['retry']}-{retried}"], retry="Retry Now")
        assert places(retried) == ["queue"]

    @pytest.mark.parametrize(
        ("key", "action", "place"),
        [("retry", "retry", "queue"), ("retry", "kill", "dead"), ("dead", "retry", "queue")],
    )
    def test_all_of_a_list(self, both, jid, places, key, action, place):
        moved = jid(key)
        both.ruby.press(PAGE[key], f"{PAGE[key]}/all/{action}")
        assert places(moved) == [place]

    @pytest.mark.parametrize("key", ["retry", "dead"])
    def test_delete_all_of_a_list(self, both, key):
        both.ruby.press(PAGE[key], f"{PAGE[key]}/all/delete")
        assert both.members(key) == []

    def test_delete_a_waiting_job(self, both):
        (raw,) = both.raw.lrange("queue:tea-room", 0, -1)
        both.ruby.press("/queues/tea-room", "/queues/tea-room/delete", key_val=raw.decode())
        assert both.raw.llen("queue:tea-room") == 0

    def test_delete_a_queue(self, both):
        both.ruby.press("/queues", "/queues/tea-room", delete="Delete")
        assert both.raw.smembers("queues") == set()
        assert both.raw.exists("queue:tea-room") == 0

    def test_a_retried_job_runs_in_pillion(self, both, press):
        retried = both.push("interop_jobs.Plain", "x", queue="python", at=1)
        (raw,) = both.raw.zrangebyscore("schedule", 1, 1)
        both.raw.delete("schedule", "retry")
        both.raw.zadd("retry", {dumps(json.loads(raw) | ERROR): SCORE["retry"]})
        press("retry", "retry")
        both.start_pillion("python")
        assert both.ledger.wait_for(retried)["args"] == ["x"]


class TestOddData:
    """What an older web app must be able to show too."""

    def test_a_class_of_one_function_and_a_queue_with_every_allowed_sign(self, both):
        both.push("shop.tasks.brew_tea", queue="A-z_0.9:x")
        page = text_of(both.ruby.look(f"/queues/{quote('A-z_0.9:x', safe=':')}"))
        assert "shop.tasks.brew_tea" in page

    def test_a_dead_job_that_is_no_json(self, both):
        both.raw.zadd("dead", {b"no json <at all>": time.time()})
        assert "no json <at all>" in text_of(both.ruby.look("/morgue"))

    @pytest.mark.parametrize("text", ["5", "null", "[1]"])
    def test_a_job_that_is_json_but_no_object_does_not_break_the_page_of_the_dead(self, both, text):
        both.raw.lpush("queue:python", text)
        both.start_pillion("python")
        both.wait_until(lambda: both.members("dead"), "its burial")
        both.ruby.look("/morgue")

    def test_metrics_and_own_keys_of_pillion_disturb_no_page(self, both):
        both.push("shop.Brew", queue="tea-room")
        both.raw.hset("j|261121|22:28", mapping={"shop.Brew|p": 2, "shop.Brew|ms": 61})
        both.raw.execute_command("BITFIELD", "h|shop.Brew-21-22:28", "INCRBY", "u16", "#2", 2)
        both.raw.hset("20261121-marks", "2026-11-21T22:29:00Z", "v1")
        both.raw.set("pl:alive:host:1:abcdef", "1")
        both.raw.hset("it-" + "a" * 24, mapping={"ex": 1, "c": "10", "rt": "0"})
        for path in ("/", "/busy", "/queues", "/queues/tea-room", "/retries", "/scheduled", "/morgue", "/stats"):
            both.ruby.look(path)
        assert both.ruby("[Sidekiq::ProcessSet.new.size, Sidekiq::Stats.new.enqueued]") == [0, 1]
