"""How far a job is: what `self.progress` writes, what `get_progress` reads, and when (F137)."""

from __future__ import annotations

import asyncio

import pytest
from iterable_scene import IterableScene

import pillion
from pillion.api.fleet import Fleet
from pillion.api.progress import Progress
from pillion.config import Config
from pillion.errors import ConfigError
from pillion.jobs import helpers

KEY = "job:progress:{}"


@pytest.fixture
def scene(storage, redis_url):
    with IterableScene(storage, redis_url) as opened:
        yield opened


@pytest.fixture
def progress(redis_url):
    fleet = Fleet(Config(redis=redis_url))
    yield Progress(fleet=fleet)
    fleet.close()


def test_a_third_is_33_33_for_an_hour(scene, progress, raw):
    returned = []

    class Third(scene.Plain):
        def perform(self):
            returned.append(self.progress(1, 3))

    jid = scene.run_to_end(Third)
    assert returned == [33.33]
    assert raw.get(KEY.format(jid)) == b"33.33"
    assert 3500 < raw.ttl(KEY.format(jid)) <= 3600
    assert progress.get(jid) == 33.33
    assert progress.cleanup(jid) is True
    assert progress.cleanup(jid) is False
    assert progress.get(jid) == 0.0


def test_nothing_is_known_of_an_unknown_job(progress):
    assert progress.get("nobody") == 0.0
    assert progress.read(["a", "b"]) == {"a": 0.0, "b": 0.0}


def test_what_is_no_number_counts_as_nothing(progress, raw):
    raw.set(KEY.format("a"), "soon")
    assert progress.get("a") == 0.0


def test_only_what_has_changed_is_sent(scene, raw):
    class Fine(scene.Plain):
        def perform(self):
            for at in range(100_001):
                self.progress(at, 100_000)

    before = raw.info("commandstats").get("cmdstat_set", {}).get("calls", 0)
    jid = scene.run_to_end(Fine)
    assert raw.get(KEY.format(jid)) == b"100.0"
    assert raw.info("commandstats")["cmdstat_set"]["calls"] - before == 10_001


def test_one_that_does_not_change_is_sent_again_before_it_expires(scene, raw, monkeypatch):
    class Slow(scene.Plain):
        def perform(self):
            self.progress(1, 2)
            raw.delete(KEY.format(self.jid))
            self.progress(1, 2)
            assert not raw.exists(KEY.format(self.jid))
            monkeypatch.setattr(helpers, "REPEAT_S", 0.0)
            self.progress(1, 2)

    jid = scene.run_to_end(Slow)
    assert raw.get(KEY.format(jid)) == b"50.0"


def test_async_jobs_and_event_loops_have_the_same(scene, progress, raw):
    class Half(scene.Plain):
        async def perform(self):
            await self.progress.aio(1, 2)

    jid = scene.run_to_end(Half)
    assert raw.get(KEY.format(jid)) == b"50.0"

    async def read():
        try:
            return await progress.get.aio(jid), await progress.cleanup.aio(jid)
        finally:
            await progress.fleet.aclose()

    assert asyncio.run(read()) == (50.0, True)


def test_the_short_names_ask_the_redis_that_is_pushed_to(redis_url, raw):
    pillion.default.install(Config(redis=redis_url))
    try:
        raw.set(KEY.format("a"), "12.5")
        assert pillion.get_progress("a") == 12.5
        assert pillion.cleanup_progress("a")
        assert not raw.exists(KEY.format("a"))
    finally:
        pillion.default.reset()


@pytest.mark.parametrize("jid", ["", None, 5])
def test_what_is_no_jid_is_refused(progress, jid):
    with pytest.raises(ConfigError, match="jids"):
        progress.get(jid)
