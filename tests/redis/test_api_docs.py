"""Each page of docs/api runs as it stands, shows every call, and each call sends what it says that it sends."""

from pathlib import Path

import pytest
from doc_examples import Watcher, run_page

from pillion import default
from pillion.api import costs
from pillion.config import Config

PAGES = sorted((Path(__file__).parents[2] / "docs" / "api").glob("[a-z]*.md"))


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
    assert [row.name for row in costs.rows() if row.name not in seen] == []
    undeclared = {
        name: sorted(one.commands - {declared.split()[0] for declared in one.cost.commands})
        for name, one in seen.items()
    }
    assert {name: commands for name, commands in undeclared.items() if commands} == {}
    assert [name for name, one in seen.items() if not one.commands] == []
    assert {name.split(".")[0] for name in seen} == {
        name.split(".")[0] for name, one in seen.items() if "aio" in one.ways
    }


def test_the_cost_table_is_up_to_date():
    page = next(page for page in PAGES if page.stem == "costs")
    assert page.read_text() == costs.markdown(), "run: python -m pillion.api.costs > docs/api/costs.md"
