"""Pausing on Redis: the set that Sidekiq Pro's dashboards know, and the message to waiting workers."""

import pytest

from pillion.errors import RedisError
from pillion.storage.ops import pause


def test_a_paused_queue_is_a_member_of_the_set_that_dashboards_read(storage, raw):
    assert storage.run(pause.pause("mail")) is True
    assert raw.smembers("paused") == {b"mail"}
    assert storage.run(pause.is_paused("mail")) is True
    assert storage.run(pause.paused_queues()) == {"mail"}


def test_an_unpaused_queue_leaves_nothing_behind(storage, raw):
    storage.run(pause.pause("mail"))
    assert storage.run(pause.unpause("mail")) is True
    assert raw.keys("*") == []
    assert storage.run(pause.is_paused("mail")) is False


def test_pausing_twice_changes_nothing_the_second_time(storage, raw):
    storage.run(pause.pause("mail"))
    assert storage.run(pause.pause("mail")) is False
    assert raw.smembers("paused") == {b"mail"}


def test_unpausing_what_is_not_paused_changes_nothing(storage, raw):
    storage.run(pause.pause("mail"))
    assert storage.run(pause.unpause("other")) is False
    assert raw.smembers("paused") == {b"mail"}


def test_names_that_are_no_ascii_are_kept(storage):
    storage.run(pause.pause("pöst"))
    assert storage.run(pause.paused_queues()) == {"pöst"}


@pytest.mark.parametrize("op", [pause.pause, pause.unpause])
def test_the_name_is_told_to_those_who_listen(storage, raw, op):
    with raw.pubsub() as listener:
        listener.subscribe("pl:control")
        listener.get_message(timeout=5)
        storage.run(op("mail"))
        message = listener.get_message(timeout=5)
        assert message is not None
        assert message["data"] == b"mail"


def test_a_user_who_may_not_publish_can_pause(own_redis):
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "resetchannels", "+@all")
        client.execute_command("AUTH", "app", "pw")
        storage = _as(client)
        assert storage(pause.pause("mail")) == 1
        assert client.smembers("paused") == {b"mail"}


def test_a_full_redis_can_be_paused_and_unpaused(own_redis):
    with own_redis.client() as client:
        ask = _as(client)
        client.set("ballast", "x")
        client.config_set("maxmemory", 1)
        assert ask(pause.pause("mail")) == 1
        assert ask(pause.unpause("mail")) == 1
        client.config_set("maxmemory", 0)


def test_a_key_of_a_wrong_type_is_an_error_and_stays_as_it_is(storage, raw):
    raw.set("paused", "not a set")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        storage.run(pause.pause("mail"))
    assert raw.get("paused") == b"not a set"


def _as(client):
    """Carries out an op on this very connection."""
    return lambda op: client.execute_command("EVAL", op.script.source, *op.args)
