"""A fetch and paused queues, step by step on Redis: what it takes, what it puts back, what it says."""

import pytest

from pillion.errors import RedisError
from pillion.storage.ops import pause, work

ME = "host:1:me"
MAIL, HIGH = work.Route.of("mail", ME), work.Route.of("high", ME)


def _fetch(storage, *routes, count=10, drain=False):
    return storage.run(
        work.fetch(routes or (HIGH, MAIL), count=count, max_bytes=10**6, first_token=1, drain_wait_lists=drain)
    )


def test_a_paused_queue_is_passed_over_and_named(storage, raw):
    storage.run(pause.pause("high"))
    raw.lpush("queue:high", "h")
    raw.lpush("queue:mail", "m")
    fetched = _fetch(storage)
    assert (fetched, fetched.paused) == ([(1, [b"m"])], (0,))
    assert raw.lrange("queue:high", 0, -1) == [b"h"]


def test_it_is_named_also_when_other_queues_gave_enough(storage, raw):
    storage.run(pause.pause("mail"))
    raw.lpush("queue:high", "h1", "h2")
    assert _fetch(storage, count=1).paused == (1,)


def test_pauses_of_queues_that_are_not_served_are_not_named(storage):
    storage.run(pause.pause("other"))
    assert _fetch(storage).paused == ()


def test_jobs_that_a_blocking_move_brought_go_back_to_be_next_in_their_order(storage, raw):
    storage.run(pause.pause("mail"))
    raw.lpush("queue:mail", "later")
    raw.lpush(MAIL.wait, "first", "second")
    raw.lpush(HIGH.wait, "h")
    assert _fetch(storage, drain=True) == [(0, [b"h"])]
    assert raw.lrange("queue:mail", 0, -1)[::-1] == [b"first", b"second", b"later"]
    assert raw.exists(MAIL.wait) == 0


def test_jobs_stay_in_the_private_list_if_their_queue_cannot_take_them_back(storage, raw):
    storage.run(pause.pause("mail"))
    raw.set("queue:mail", "not a list")
    raw.lpush(MAIL.wait, "first", "second")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        _fetch(storage, drain=True)
    assert raw.lrange(MAIL.wait, 0, -1) == [b"second", b"first"]


def test_pauses_that_cannot_be_read_are_told_beside_the_jobs(storage, raw):
    raw.set("paused", "not a set")
    raw.lpush("queue:mail", "m")
    fetched = _fetch(storage)
    assert (fetched, fetched.paused) == ([(1, [b"m"])], ())
    assert "WRONGTYPE" in fetched.pauses_failure


def test_a_full_redis_lets_a_paused_job_go_back(own_redis):
    with own_redis.client() as client:
        client.sadd("paused", "mail")
        client.lpush(MAIL.wait, "m")
        op = work.fetch((MAIL,), count=1, max_bytes=10**6, first_token=1, drain_wait_lists=True)
        client.config_set("maxmemory", 1)
        client.execute_command("EVAL", op.script.source, *op.args)
        assert client.lrange("queue:mail", 0, -1) == [b"m"]


def test_a_user_who_may_not_read_the_pauses_gets_jobs_all_the_same(own_redis):
    with own_redis.client() as client:
        client.lpush("queue:mail", "m")
        client.execute_command("ACL", "SETUSER", "worker", "on", ">pw", "~queue:*", "~{queue:*", "+@all")
        client.execute_command("AUTH", "worker", "pw")
        op = work.fetch((MAIL,), count=1, max_bytes=10**6, first_token=1, drain_wait_lists=True)
        fetched = op.parse(client.execute_command("EVAL", op.script.source, *op.args))
        assert (fetched, fetched.paused) == ([(0, [b"m"])], ())
        assert fetched.pauses_failure
