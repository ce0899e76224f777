"""The blocks of the guides on context and on helpers run, in order, as they stand there, against a real Redis."""

import asyncio
import json
from pathlib import Path

import pytest
from doc_examples import run_page

from pillion import default
from pillion.config import Config, RedisConfig

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


@pytest.fixture
def page(redis_url, monkeypatch):
    """`page(name)` runs a guide and returns its names."""
    default.install(Config(redis=RedisConfig(url=redis_url)))
    yield lambda name: run_page(GUIDES / name, monkeypatch)
    default.reset()


def test_the_guide_on_context(page, raw):
    names = page("context.md")
    waiting = [json.loads(each) for each in reversed(raw.lrange("queue:default", 0, -1))]
    shown = [
        (each["class"].rpartition(".")[2], {key: value for key, value in each.items() if key[:5] in ("meta.", "cattr")})
        for each in waiting
    ]
    assert shown == [
        ("CompleteOrder", {"meta.user": "ann", "meta.project": "shop"}),
        ("CloseAccounts", {}),
        ("SendReceipt", {"meta.project": "shop", "meta.user": "ann"}),
        ("SendReceipt", {"meta.project": "mail", "meta.user": "bob"}),
        ("Report", {"cattr": {"tenant": "acme", "user_id": 7}}),
    ]
    later = [json.loads(each) for each in raw.zrange("schedule", 0, -1)]
    assert sorted((each["args"], each["meta.project"]) for each in later) == [([1], "shop"), ([2], "mail")]
    asyncio.run(names["app"]({"type": "http", "user": "cid", "headers": []}, None, None))
    assert list(names["wsgi_app"]({"REMOTE_USER": "dan"}, None)) == [b"ok"]
    newest = [json.loads(each) for each in raw.lrange("queue:default", 0, 1)]
    assert [(each["meta.user"], len(each["meta.request_id"])) for each in newest] == [("dan", 24), ("cid", 24)]


def test_what_the_jobs_of_the_guide_push_in_their_own_context(page, raw):
    names = page("context.md")
    raw.delete("queue:default")
    names["CloseAccounts"].perform_inline()
    projects = [json.loads(each)["meta.project"] for each in reversed(raw.lrange("queue:default", 0, -1))]
    assert projects == ["shop", "mail"]


def test_the_guide_on_helpers(page, raw):
    names = page("in-job-helpers.md")
    assert names["sent"] == [7, 8]
    assert sorted(raw.keys("pl:*")) == [b"pl:circuit:search", b"pl:once:invoice:7", b"pl:once:payment:8"]
    assert raw.get("pl:circuit:search") == b"5"
