"""The same Redis on Ruby's dashboard and on ours: the same numbers, and the same jobs in the same order."""

import json
import re

import pytest
from web_client import client_of

from pillion.config import Config
from pillion.web import User, app

JOBS = 30


@pytest.fixture
def ours(both):
    """Our dashboard on the Redis of both."""
    return client_of(app(auth=lambda visitor: User("ana", "admin"), config=Config(redis=both.url)), "http://jobs.test")


@pytest.fixture
def stored(both):
    """Jobs of both languages everywhere."""
    for number in range(JOBS):
        both.push("shop.Brew", number, queue="tea-room")
        both.ruby.push("Echo", number, queue="tea-room")
    both.push("shop.Brew", 1, queue="default")
    for key, first in (("retry", 4102444800), ("dead", 1795300000), ("schedule", 4102444800)):
        for number in range(JOBS):
            payload = json.loads(both.raw.lindex("queue:tea-room", number))
            error = {
                "error_class": "shop.OutOfTea",
                "error_message": "none",
                "failed_at": 1795300070895,
                "retry_count": 1,
            }
            both.raw.zadd(key, {json.dumps(payload | ({} if key == "schedule" else error)): first + number})
    both.raw.mset({"stat:processed": 1234, "stat:failed": 56})


def jids(page):
    """The jids that a page links to, or shows, in their order."""
    return list(dict.fromkeys(re.findall(r"\b[0-9a-f]{24}\b", page)))


@pytest.mark.usefixtures("stored")
class TestAgreement:
    def test_stats_are_the_same(self, both, ours):
        theirs, told = json.loads(both.ruby.look("/stats")), ours.get("/stats").json()
        assert told["sidekiq"].keys() >= theirs["sidekiq"].keys()
        for name, value in theirs["sidekiq"].items():
            if name == "default_latency":
                assert told["sidekiq"][name] >= 0
            else:
                assert told["sidekiq"][name] == value, name
        assert {name: told["redis"].get(name) for name in ("redis_version", "uptime_in_days")} == {
            name: theirs["redis"][name] for name in ("redis_version", "uptime_in_days")
        }
        assert told["redis"].keys() >= theirs["redis"].keys()

    def test_queue_sizes_are_the_same(self, both, ours):
        theirs, told = both.ruby.look("/stats/queues"), ours.get("/stats/queues").text
        assert json.loads(theirs) == json.loads(told) == {"tea-room": 2 * JOBS, "default": 1}

    @pytest.mark.parametrize("page", [("/retries", "/retries"), ("/morgue", "/dead"), ("/scheduled", "/scheduled")])
    def test_a_set_has_the_same_jobs(self, both, ours, page):
        theirs = jids(both.ruby.look(f"{page[0]}?count=100"))
        rows = ours.get(f"/api/v1{page[1]}?limit=100").json()["rows"]
        assert len(rows) == JOBS
        assert {row["jid"] for row in rows} == set(theirs)

    def test_a_queue_has_the_same_jobs(self, both, ours):
        mine = [row["jid"] for row in ours.get("/api/v1/queues/tea-room/jobs?limit=100&order=newest").json()["rows"]]
        stored = [json.loads(each)["jid"] for each in both.raw.lrange("queue:tea-room", 0, -1)]
        assert mine == stored
        assert len(re.findall(r"shop\.Brew|Echo", both.ruby.look("/queues/tea-room?count=100"))) >= len(mine)
