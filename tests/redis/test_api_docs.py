"""Each page of docs/api runs as it stands, shows every call, and each call sends what it says that it sends."""

from pathlib import Path

import pytest
from doc_examples import Watcher, public_calls, run_page

from pillion import api, default
from pillion.config import Config

PAGES = sorted((Path(__file__).parents[2] / "docs" / "api").glob("*.md"))


@pytest.fixture
def default_redis(redis_url):
    default.reset()
    default.install(Config(redis=redis_url))
    yield
    default.reset()


def run_all(raw, monkeypatch):
    seen = {}
    for page in PAGES:
        raw.flushdb()
        with monkeypatch.context() as patched:
            watcher = Watcher(raw, patched)
            run_page(page, patched)
            for name, one in watcher.stop().items():
                known = seen.setdefault(name, one)
                known.commands |= one.commands
                known.ways |= one.ways
    return seen


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs_as_it_stands(page, default_redis, monkeypatch):
    run_page(page, monkeypatch)


def test_the_pages_show_every_call_and_each_call_sends_what_it_says(default_redis, raw, monkeypatch):
    seen = run_all(raw, monkeypatch)
    public = public_calls(api, api.__all__)
    assert sorted(public.keys() - seen.keys()) == []
    undeclared = {name: sorted(one.commands - set(one.cost.commands)) for name, one in seen.items()}
    assert {name: commands for name, commands in undeclared.items() if commands} == {}
    assert [name for name, one in seen.items() if not one.commands] == []
