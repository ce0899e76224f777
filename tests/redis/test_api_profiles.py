"""ProfileSet: what profiled jobs have left behind."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from pillion.api.fleet import Fleet
from pillion.api.profiles import ProfileSet
from pillion.config import Config

NOW_S = 1795300100.5
DATA = gzip.compress(b'{"meta":{}}')


@pytest.fixture
def profiles(redis_url):
    fleet = Fleet(Config(redis=redis_url), clock=lambda: NOW_S)
    yield ProfileSet(fleet=fleet)
    fleet.close()


def leave(raw, jid, expires_in_s, **more):
    fields = {
        "started_at": 1795300000,
        "token": "ann",
        "type": "HardJob",
        "jid": jid,
        "elapsed": 1.5,
        "size": len(DATA),
    }
    raw.hset(f"ann-{jid}", mapping={**fields, "data": DATA, **more})
    raw.zadd("profiles", {f"ann-{jid}": NOW_S + expires_in_s})


def test_profiles_come_newest_first(profiles, raw):
    leave(raw, "a", 100)
    leave(raw, "b", 200, sid="abc")
    newest, other = profiles
    assert (newest.key, newest.jid, newest.token, newest.job_class) == ("ann-b", "b", "ann", "HardJob")
    assert (newest.started_at, newest.elapsed_s, newest.size_bytes) == (1795300000, 1.5, len(DATA))
    assert (newest.upload_id, other.upload_id) == ("abc", "")


def test_the_data_is_loaded_when_asked_for(profiles, raw):
    leave(raw, "a", 100)
    (profile,) = profiles
    assert gzip.decompress(profile.data()) == b'{"meta":{}}'
    raw.delete("ann-a")
    assert profile.data() is None


def test_expired_profiles_are_dropped_from_the_list(profiles, raw):
    leave(raw, "old", -1)
    leave(raw, "new", 100)
    assert [profile.jid for profile in profiles] == ["new"]
    assert profiles.size() == 1


def test_a_profile_whose_hash_has_gone_is_skipped(profiles, raw):
    leave(raw, "a", 100)
    raw.zadd("profiles", {"ann-gone": NOW_S + 50})
    assert [profile.jid for profile in profiles] == ["a"]


def test_damaged_fields_are_shown_as_nothing(profiles, raw):
    leave(raw, "a", 100, elapsed="x", size="?", started_at="")
    (profile,) = profiles
    assert (profile.elapsed_s, profile.size_bytes, profile.started_at) == (0.0, 0, 0)


def test_event_loops_see_the_same(profiles, raw):
    leave(raw, "a", 100)

    async def look():
        try:
            return [await profile.data.aio() async for profile in profiles]
        finally:
            await profiles.fleet.aclose()

    assert asyncio.run(look()) == [DATA]
