"""What pages say and weigh: rows of a page, sorting, averages, and the way on from an address that does not exist."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from web_fleet import WEB, Scene, add_process, count_runs, run
from web_scene import failed

from pillion.web.data.models import DashboardPage, Vital

MOST_BYTES = 100_000


# -- how much a page weighs ------------------------------------------------------------------------------


@pytest.fixture
def crowd(raw: redis.Redis) -> redis.Redis:
    """Hundreds of jobs with long arguments and messages in every place, and processes that run many."""
    long = {"args": [{"note": "lorem ipsum " * 200}], "error_message": "could not do it: " + "because " * 300}
    payloads = [json.dumps(failed(f"{number:024x}", **long)) for number in range(600)]
    raw.sadd("queues", "mail")
    raw.lpush("queue:mail", *payloads)
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {payload: time.time() + 60 + number for number, payload in enumerate(payloads)})
    for number in range(120):
        identity = add_process(
            raw, f"web{number}:1:abcdef012345", queues=[f"queue{n}" for n in range(20)], beat=time.time()
        )
        for thread in range(5):
            run(raw, identity, f"t{thread}", payloads[5 * number + thread].encode())
    for number in range(600):
        fields = {
            "who": "ana@example.com",
            "role": "admin",
            "action": "set_retry",
            "target": "retries",
            "result": "done",
        }
        raw.xadd(
            "pl:audit", {**fields, "count": "20", "jids": ",".join([f"{number:024x}"] * 20), "address": "192.0.2.7"}
        )
    return raw


HEAVY = ("/busy", "/queues/mail", "/scheduled", "/retries?view=list", "/dead?view=list", "/search?q=lorem", "/audit")


@pytest.mark.parametrize("path", HEAVY)
def test_a_page_of_very_many_rows_stays_light(dash: Any, crowd: redis.Redis, path: str) -> None:
    page = dash().client().get(path, params={"count": "500"} | dict(re.findall(r"(\w+)=(\w+)", path)))
    assert page.status_code == 200
    assert page.text.count("<tr data-key") >= 50
    assert len(page.content) < MOST_BYTES


@pytest.mark.parametrize(("path", "most"), [("/queues/mail", 50), ("/retries?view=list", 50), ("/busy?only=jobs", 25)])
def test_the_pager_says_what_the_most_is(dash: Any, crowd: redis.Redis, path: str, most: int) -> None:
    client = dash().client()
    mark = "&" if "?" in path else "?"
    assert f"{most} rows a page are the most" in client.get(f"{path}{mark}count=500").text
    assert "are the most" not in client.get(f"{path}{mark}count={most}").text
    assert "are the most" not in client.get(f"{path}{mark}count={'9' * 5000}x").text


def test_programs_still_get_five_hundred(dash: Any, crowd: redis.Redis) -> None:
    assert len(dash().client().get("/api/v1/retries?limit=500").json()["rows"]) == 500


def test_a_long_text_is_cut_in_a_list_and_whole_on_its_page(dash: Any, crowd: redis.Redis) -> None:
    client = dash().client()
    listed, page = client.get("/retries?view=list").text, client.get(f"/jobs/{0:024x}?in=retries").text
    assert "because " * 40 not in listed
    assert "because " * 40 in page


# -- an address that does not exist ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nothing", "/queues/mail/explode", "/sets/heap/retry/x"])
def test_who_is_in_finds_the_way_on_from_nowhere(dash: Any, filled: redis.Redis, path: str) -> None:
    page = dash().client("viewer").get(path)
    assert page.status_code == 404
    nav = page.text.partition('<nav class="rail"')[2].partition("</nav>")[0]
    assert 'href="/queues"' in nav
    assert 'href="/audit"' not in nav
    assert "ana the viewer" in page.text


def test_a_stranger_is_shown_no_way(dash: Any, filled: redis.Redis) -> None:
    page = dash().client("").get("/nothing")
    assert page.status_code == 401
    assert 'href="/queues"' not in page.text


# -- sorting ---------------------------------------------------------------------------------------------


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


@pytest.fixture
def classes(scene: Scene, raw: redis.Redis) -> Scene:
    raw.set("stat:processed", 1)
    count_runs(scene.fleet, "Often", 2, ran=90, ms=10)
    count_runs(scene.fleet, "Slow", 2, ran=2, ms=5000)
    count_runs(scene.fleet, "Bad", 2, ran=1, failed=9, ms=100)
    count_runs(scene.fleet, "Aaa", 2, ran=8, ms=1)
    return scene


@pytest.mark.parametrize(
    ("sort", "first"), [("total", "Slow"), ("runs", "Often"), ("failures", "Bad"), ("average", "Slow"), ("name", "Aaa")]
)
def test_classes_are_sorted_as_asked(dash: Any, classes: Scene, sort: str, first: str) -> None:
    client = dash(fleet=classes.fleet, clock=classes.clock).client()
    assert client.get(f"/api/v1/metrics?sort={sort}").json()["rows"][0]["job_class"] == first
    page = client.get(f"/metrics?sort={sort}").text
    assert re.findall(r'<tr data-key="c-(\w+)"', page)[0] == first
    assert re.findall(r'aria-sort="(\w+)"><a href="/metrics\?sort=(\w+)"', page) == [
        ("ascending" if sort == "name" else "descending", sort)
    ]
    assert f'<input type="hidden" name="sort" value="{sort}">' in page


def test_a_sort_that_there_is_not_is_the_default_for_people_and_an_error_for_programs(
    dash: Any, classes: Scene
) -> None:
    client = dash(fleet=classes.fleet, clock=classes.clock).client()
    page = client.get("/metrics?sort=%22%3E%3Cb%3E").text
    assert re.findall(r'aria-sort="(\w+)"><a href="/metrics\?sort=(\w+)"', page) == [("descending", "total")]
    answer = client.get("/api/v1/metrics?sort=size")
    assert answer.status_code == 400
    assert "sort: expected one of total, runs, failures, average, name" in answer.json()["detail"]


# -- what was before -------------------------------------------------------------------------------------


def vital(page: DashboardPage, name: str) -> Vital:
    return next(one for one in page.vitals if one.name == name)


def test_an_average_is_told_as_one(dash: Any, classes: Scene) -> None:
    page = dash(fleet=classes.fleet, clock=classes.clock).client().get("/").text
    assert "hour’s average" in page
    assert "an hour ago" not in page


def test_the_average_of_an_hour_is_of_the_whole_hour(classes: Scene) -> None:
    assert vital(classes.data.dashboard(), "throughput").before == pytest.approx(110 / 59)


def test_some_minutes_are_not_shown_as_an_hour(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw, WEB, busy=3)
    told = []
    for _ in range(40):
        told.append(vital(scene.data.dashboard(), "used_slots").before)
        scene.later(60)
        raw.hset(WEB, "beat", scene.clock.now_s)
    assert told[:25] == [None] * 25
    assert told[-1] == pytest.approx(0.6)
