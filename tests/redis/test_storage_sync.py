"""Storage: ops on pooled connections, against a real server (behaviour 1.7, F022, F242, wire-format 0)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis_process import RedisProcess
from relay import Relay

from pillion.config import Config, RedisConfig
from pillion.errors import PillionError, RedisError, RedisRefused, RedisUnavailable, Shutdown
from pillion.storage.connect import open_storage
from pillion.storage.ops.base import Op, Script, command
from pillion.storage.sync import Storage

INCR = command("INCR", "n")
INCR_IN_LUA = Op((1, "n"), int, Script.of("incr", "return redis.call('INCR', KEYS[1])"))


def open_at(url: str, **settings: object) -> Storage:
    return open_storage(Config(redis=RedisConfig(url=url, **settings)), {})  # type: ignore[arg-type]


@pytest.fixture
def opened() -> Iterator[Callable[..., Storage]]:
    """`open_at`, closed after the test."""
    storages: list[Storage] = []

    def open_it(url: str, **settings: object) -> Storage:
        storages.append(open_at(url, **settings))
        return storages[-1]

    yield open_it
    for storage in storages:
        storage.close()


@pytest.fixture
def relay(empty_redis: RedisProcess, short_tmp: Path) -> Iterator[Relay]:
    """A relay to this worker's server."""
    relay = Relay(short_tmp, empty_redis.socket)
    yield relay
    relay.close()


# -- ops ---------------------------------------------------------------------------------------------


def test_an_op_is_carried_out_and_its_reply_parsed(storage: Storage, raw: redis.Redis) -> None:
    assert storage.run(Op(("LPUSH", "queue:a", "x"), lambda reply: reply * 10)) == 10
    assert raw.lrange("queue:a", 0, -1) == [b"x"]


def test_replies_come_as_redis_sent_them(storage: Storage) -> None:
    storage.run(command("ZADD", "z", 1.5, "m"))
    storage.run(command("HSET", "h", "f", "v"))
    assert storage.run(command("ZSCORE", "z", "m")) == b"1.5"
    assert storage.run(command("HGETALL", "h")) == [b"f", b"v"]
    assert storage.run(command("GET", "nothing")) is None


def test_many_ops_make_one_round_trip(relay: Relay, opened: Callable[..., Storage]) -> None:
    storage = opened(relay.url)
    storage.run(command("PING"))
    before = len(relay.packets)
    assert storage.run_all([INCR, INCR, command("GET", "n")]) == [1, 2, b"2"]
    assert len(relay.packets) == before + 1
    assert b"MULTI" not in relay.packets[-1]


def test_no_ops_send_nothing(relay: Relay, opened: Callable[..., Storage]) -> None:
    storage = opened(relay.url)
    assert storage.run_all([]) == []
    assert storage.transaction([]) == []
    assert relay.connections == 0


def test_an_unknown_script_is_loaded_and_its_neighbours_are_not_repeated(storage: Storage, raw: redis.Redis) -> None:
    raw.script_flush()
    raw.script_flush()
    assert storage.run_all([INCR, INCR_IN_LUA, INCR]) == [1, 3, 2]
    assert storage.run(INCR_IN_LUA) == 4


def test_an_op_that_fails_does_not_stop_the_others(storage: Storage, raw: redis.Redis) -> None:
    with pytest.raises(RedisError, match="unknown command"):
        storage.run_all([INCR, command("NONSENSE"), INCR])
    assert raw.get("n") == b"2"


def test_a_transaction_is_carried_out_as_a_whole(storage: Storage, raw: redis.Redis) -> None:
    assert storage.transaction([INCR, INCR_IN_LUA]) == [1, 2]
    with pytest.raises(RedisError, match="unknown command"):
        storage.transaction([INCR, command("NONSENSE")])
    assert raw.get("n") == b"2"


# -- broken lines and changed roles --------------------------------------------------------------------


@pytest.mark.parametrize("op", [INCR, INCR_IN_LUA], ids=["command", "script"])
def test_a_write_refused_by_a_replica_is_sent_once_more_on_a_new_connection(
    op: Op[int], empty_redis: RedisProcess, own_redis: RedisProcess, short_tmp: Path, opened: Callable[..., Storage]
) -> None:
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", "1")
    relay = Relay(short_tmp, own_redis.socket, empty_redis.socket)
    assert opened(relay.url).run(op) == 1
    assert relay.connections == 2
    relay.close()


@pytest.mark.parametrize("op", [INCR, INCR_IN_LUA], ids=["command", "script"])
def test_a_replica_refuses_for_good_after_the_second_attempt(
    op: Op[int], own_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", "1")
    with pytest.raises(RedisRefused, match=r"it is a replica. Connect to the primary"):
        opened(own_redis.url).run(op)


def test_a_transaction_refused_by_a_replica_is_sent_once_more(
    empty_redis: RedisProcess, own_redis: RedisProcess, short_tmp: Path, opened: Callable[..., Storage]
) -> None:
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", "1")
    relay = Relay(short_tmp, own_redis.socket, empty_redis.socket)
    assert opened(relay.url).transaction([INCR, INCR]) == [1, 2]
    relay.close()


def test_after_a_lost_reply_the_op_is_sent_once_more_and_so_may_be_carried_out_twice(
    relay: Relay, opened: Callable[..., Storage]
) -> None:
    storage = opened(relay.url)
    storage.run(command("PING"))
    relay.lose_next_reply()
    assert storage.run(INCR) == 2


def test_an_idle_connection_that_the_server_has_closed_is_replaced_before_anything_is_sent(
    storage: Storage, raw: redis.Redis
) -> None:
    assert storage.run(INCR) == 1
    mine = storage.run(command("CLIENT", "ID"))
    raw.client_kill_filter(_id=mine)
    assert storage.run(INCR) == 2


def test_a_restarted_server_is_found_again(own_redis: RedisProcess, opened: Callable[..., Storage]) -> None:
    storage = opened(own_redis.url)
    assert storage.run(INCR_IN_LUA) == 1
    own_redis.restart()
    assert storage.run(INCR_IN_LUA) == 2


def test_a_server_that_does_not_answer_is_an_error_and_the_op_is_not_sent_twice(
    own_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    storage = opened(own_redis.url, timeout_s=0.2)
    storage.run(INCR)
    own_redis.pause()
    with pytest.raises(RedisUnavailable, match="did not answer in time"):
        storage.run(INCR)
    own_redis.resume()
    with own_redis.client() as client:
        assert client.get("n") == b"2"


def test_an_unreachable_server_is_named_with_host_and_port() -> None:
    storage = open_at("redis://:s3cret@127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable, match=r"Redis at 127.0.0.1:1/0 cannot be reached.*REDIS_URL") as error:
        storage.run(INCR)
    assert "s3cret" not in str(error.value)


def test_a_shutdown_in_the_middle_of_an_op_does_not_leave_its_reply_to_the_next(
    own_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    storage = opened(own_redis.url, pool_size=1)
    storage.run_all([command("SET", "a", "of a"), command("SET", "b", "of b")])
    sending, ended = threading.Event(), threading.Event()

    def work() -> None:
        try:
            own_redis.pause()
            sending.set()
            storage.run(command("GET", "a"))
        except Shutdown:
            ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    sending.wait(10)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Shutdown))
    own_redis.resume()
    thread.join(10)
    assert ended.is_set()
    assert storage.run(command("GET", "b")) == b"of b"


def test_an_interruption_between_sending_and_reading_does_not_leave_the_reply_to_the_next(
    own_redis: RedisProcess, opened: Callable[..., Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened(own_redis.url, pool_size=1)
    storage.run(command("PING"))
    own_redis.pause()  # the reply is late, so that nothing is there to be read when the connection is lent again
    kind = storage.link_connection().__class__
    send = kind.send_packed_command

    def send_and_no_more(connection: object, *args: object, **options: object) -> None:
        send(connection, *args, **options)
        raise Shutdown

    with monkeypatch.context() as patch, pytest.raises(Shutdown):
        patch.setattr(kind, "send_packed_command", send_and_no_more)
        storage.run(command("ECHO", "first"))
    late = threading.Timer(0.1, own_redis.resume)
    late.start()
    assert storage.run(command("ECHO", "second")) == b"second"
    late.join()


# -- what Redis refuses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "op", [command("SET", "k", "v"), Op((1, "k"), int, Script.of("set", "redis.call('SET', KEYS[1], 1)"))]
)
def test_a_full_server_refuses(op: Op[object], own_redis: RedisProcess, opened: Callable[..., Storage]) -> None:
    own_redis.config_set(maxmemory=1)
    with pytest.raises(RedisRefused, match=r"its memory is full. Raise maxmemory.*noeviction"):
        opened(own_redis.url).run(op)


def test_a_forbidden_command_is_refused(own_redis: RedisProcess, opened: Callable[..., Storage]) -> None:
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "ada", "on", ">pw", "~*", "+ping")
    storage = opened(own_redis.url, username="ada", password="pw")
    assert storage.run(command("PING")) == b"PONG"
    with pytest.raises(RedisRefused, match=r"this user may not do that.*ACL SETUSER"):
        storage.run(INCR)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_wrong_password_is_refused(
    password: str | None, own_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    own_redis.config_set(requirepass="right")
    with pytest.raises(RedisRefused, match=r"does not accept the username and password|this user may not"):
        opened(own_redis.url, password=password).run(INCR)
    assert opened(own_redis.url, password="right").run(INCR) == 1


def test_a_server_busy_with_a_script_is_unavailable(own_redis: RedisProcess, opened: Callable[..., Storage]) -> None:
    own_redis.config_set(lua_time_limit=1)
    with own_redis.client() as client:
        stuck = threading.Thread(target=_ignore_errors, args=(lambda: client.eval("while true do end", 0),))
        stuck.start()
        storage = opened(own_redis.url)
        with pytest.raises(RedisUnavailable, match="SCRIPT KILL"):
            while True:
                storage.run(INCR)
        with own_redis.client() as killer:
            killer.script_kill()
        stuck.join(10)


def _ignore_errors(call: Callable[[], object]) -> None:
    with contextlib.suppress(redis.RedisError):
        call()


def test_all_errors_are_pillions_own(storage: Storage) -> None:
    with pytest.raises(PillionError) as error:
        storage.run(command("GET"))
    assert isinstance(error.value.__cause__, redis.RedisError)


# -- the pool ------------------------------------------------------------------------------------------------


def test_fifty_threads_share_five_connections(empty_redis: RedisProcess, opened: Callable[..., Storage]) -> None:
    storage = opened(empty_redis.url, pool_size=5, pool_timeout_s=30)
    most, errors = [0], []

    def work() -> None:
        try:
            for _ in range(20):
                most.append(len(storage.run(command("CLIENT", "LIST")).splitlines()))
                storage.run(INCR)
        except PillionError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert max(most) <= 5
    assert storage.run(command("GET", "n")) == b"1000"


def test_an_exhausted_pool_is_an_error_that_says_what_to_change(
    empty_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    storage = opened(empty_redis.url, pool_size=1, pool_timeout_s=0.05)
    with storage.connection(), pytest.raises(RedisUnavailable, match=r"All connections.*were in use.*pool_size"):
        storage.run(INCR)
    assert storage.run(INCR) == 1


def test_a_forked_child_has_connections_of_its_own(storage: Storage) -> None:
    parents = storage.run(command("CLIENT", "ID"))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(storage.run(command("CLIENT", "ID"))).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reader, 100)) != parents
    assert storage.run(command("CLIENT", "ID")) == parents


# -- connections for others ------------------------------------------------------------------------------------


def test_a_block_has_one_connection_for_all_it_does(empty_redis: RedisProcess, opened: Callable[..., Storage]) -> None:
    storage = opened(empty_redis.url, pool_size=1)
    with storage.connection() as client:
        first = client.client_id()
        with client.pipeline() as pipeline:
            pipeline.watch("k")
            pipeline.multi()
            pipeline.client_id()
            assert pipeline.execute() == [first]
        assert client.set("k", "v") is True
    assert storage.run(command("GET", "k")) == b"v"


def test_what_a_block_leaves_open_does_not_reach_the_next_user(
    empty_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    storage = opened(empty_redis.url, pool_size=1)
    with storage.connection() as client:
        subscription = client.pubsub()
        subscription.subscribe("news")
    assert storage.run(INCR) == 1


def test_an_error_in_a_block_gives_the_connection_back(
    empty_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    storage = opened(empty_redis.url, pool_size=1, pool_timeout_s=0.05)
    with pytest.raises(ZeroDivisionError), storage.connection():
        raise ZeroDivisionError
    assert storage.run(INCR) == 1


def test_a_link_connection_is_fresh_unconnected_and_outside_of_the_pool(
    empty_redis: RedisProcess, opened: Callable[..., Storage]
) -> None:
    storage = opened(empty_redis.url, pool_size=1, timeout_s=1.5)
    with storage.connection():
        link = storage.link_connection()
        assert link._sock is None
        link.connect()
        link.send_command("PING")
        assert link.read_response() == b"PONG"
        assert link.socket_timeout == 1.5
        link.disconnect()


def test_redis_py_never_tries_again_by_itself(storage: Storage) -> None:
    assert storage.link_connection().retry._retries == 0


def test_connections_say_whose_they_are(storage: Storage) -> None:
    if b"lib-name" in storage.run(command("CLIENT", "INFO")):  # Redis 7.2 and later
        assert b"pillion_v" in storage.run(command("CLIENT", "INFO"))


def test_a_closed_storage_says_so(storage: Storage) -> None:
    storage.close()
    storage.close()
    with pytest.raises(RedisError, match="has been closed"):
        storage.run(INCR)
    with pytest.raises(RedisError, match="has been closed"), storage.connection():
        pass


def test_closing_closes_the_connections(
    empty_redis: RedisProcess, raw: redis.Redis, opened: Callable[..., Storage]
) -> None:
    storage = opened(empty_redis.url)
    mine = storage.run(command("CLIENT", "ID"))
    storage.close()
    assert mine not in {int(client["id"]) for client in raw.client_list()}


def test_a_storage_that_is_closed_while_another_thread_uses_it_says_so(storage: Storage) -> None:
    storage.run(INCR)
    connection = storage._pool.acquire()

    def can_read(_timeout_s: float) -> bool:
        storage.close()
        raise TypeError("argument must be an int")  # redis-py polls a socket that is None

    connection._parser.can_read = can_read
    storage._pool.release(connection)
    with pytest.raises(RedisError, match="has been closed"):
        storage.run(INCR)
