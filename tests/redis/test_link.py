"""The worker's own line to Redis: one packet out, all replies in, and what a broken line may not do."""

import threading

import pytest
import redis
from engine import until

from pillion.errors import RedisError, RedisUnavailable
from pillion.storage.link import Link
from pillion.storage.ops.base import call, command, script


@pytest.fixture
def link(storage):
    link = Link(storage.link_connection, storage.explain)
    yield link
    link.close()


def test_results_come_in_the_order_of_the_ops(link, raw):
    assert link.exchange([command("SET", "a", 1), command("GET", "a"), command("INCR", "a")]) == [b"OK", b"1", 2]


def test_an_error_is_the_result_of_its_op_and_the_others_are_carried_out(link, raw):
    first, wrong, last = link.exchange([command("SET", "a", "x"), command("INCR", "a"), command("GET", "a")])
    assert (first, last) == (b"OK", b"x")
    assert isinstance(wrong, RedisError)


def test_ask_raises_the_error_of_its_op(link):
    with pytest.raises(RedisError):
        link.ask(command("NOSUCHCOMMAND"))


def test_a_script_that_redis_forgot_is_loaded_and_only_its_op_sent_again(link, raw):
    renew = call("reconcile", ("{q}:i", "q", "{q}:w"), ("0",), int)
    link.exchange([renew])
    raw.script_flush()
    assert link.exchange([command("INCR", "a"), renew, command("INCR", "a")]) == [1, 0, 2]


def test_scripts_are_there_from_the_first_exchange_on(storage, raw):
    raw.script_flush()
    link = Link(storage.link_connection, storage.explain, [script("fetch")])
    link.exchange([])
    assert raw.script_exists(script("fetch").sha) == [True]
    link.close()


def test_a_broken_line_is_an_error_and_the_next_exchange_has_a_new_one(link, raw):
    (mine,) = link.exchange([command("CLIENT", "ID")])
    raw.client_kill_filter(_id=mine)
    with pytest.raises(RedisUnavailable):
        link.exchange([command("PING")])
    assert link.exchange([command("PING")]) in ([b"PONG"], [True])


def test_a_command_left_in_a_dead_connection_never_runs_after_a_new_one_has_begun(own_redis):
    """A paused Redis would carry it out when it goes on, after we have taken stock on the new connection."""

    def connect():
        return redis.UnixDomainSocketConnection(path=own_redis.socket, socket_timeout=0.3, retry_on_timeout=False)

    link = Link(connect, lambda error: RedisUnavailable(str(error)))
    link.exchange([command("SET", "a", 0)])
    own_redis.pause()
    with pytest.raises(RedisUnavailable):
        link.exchange([command("INCR", "a")])
    own_redis.resume()
    (stock,) = link.exchange([command("GET", "a")])
    with own_redis.client() as client:
        assert client.get("a") == stock
        assert client.incrby("a", 10) == int(stock) + 10
    link.close()


def test_no_op_overtakes_another_after_the_scripts_were_flushed(storage, raw):
    """Else a fetch that empties the private list would come before the adoption of a job that runs from there."""
    scripts = [script("adopt"), script("fetch")]
    link = Link(storage.link_connection, storage.explain, scripts)
    fetch = call("fetch", ("q", "{q}:i", "{q}:w"), (0, 1, 2, 1, "paused"), list)
    adopt = call("adopt", ("{q}:w", "{q}:i"), (1, "job"), int)
    link.exchange([])
    raw.script_flush()
    link.exchange([fetch])
    raw.lpush("{q}:w", "job")
    assert link.exchange([adopt, fetch]) == [1, []]
    assert raw.hgetall("{q}:i") == {b"1": b"job"}
    link.close()


def test_a_redis_that_is_busy_while_the_line_is_set_up_is_borne(own_redis):
    def connect():
        return redis.UnixDomainSocketConnection(path=own_redis.socket, socket_timeout=10)

    own_redis.config_set(lua_time_limit=1)
    link = Link(connect, lambda error: RedisUnavailable(str(error)), [script("fetch")])
    with own_redis.client() as client, own_redis.client() as slow:
        endless = threading.Thread(target=suppressed, args=(slow.eval, "while true do end", 0), daemon=True)
        endless.start()
        until(lambda: suppressed(client.ping) is None)
        for _ in range(2):  # the second finds what the first has left behind
            with pytest.raises(RedisUnavailable, match="BUSY"):
                link.exchange([command("GET", "a")])
        client.script_kill()
        endless.join()
    assert link.exchange([command("GET", "a")]) == [None]
    link.close()


def suppressed(ask, *args):
    """What `ask` returns, or None if Redis answers with an error."""
    try:
        return ask(*args)
    except redis.ResponseError:
        return None
