"""Storage: ops on pooled connections."""

from __future__ import annotations

import redis

from pillion.storage.ops.base import Op, Script, command
from pillion.storage.sync import Storage


def test_an_op_is_carried_out_and_its_reply_parsed(storage: Storage, raw: redis.Redis) -> None:
    assert storage.run(Op(("LPUSH", "queue:a", "x"), lambda reply: reply * 10)) == 10
    assert raw.lrange("queue:a", 0, -1) == [b"x"]


def test_an_unknown_script_is_loaded(storage: Storage) -> None:
    script = Script.of("double", "return ARGV[1] * 2")
    op = Op((0, 21), int, script)
    assert storage.run_all([command("PING"), op, op]) == [b"PONG", 42, 42]
    assert storage.run(op) == 42


def test_a_transaction(storage: Storage) -> None:
    assert storage.transaction([command("INCR", "a"), command("INCR", "a")]) == [1, 2]


def test_connection(storage: Storage) -> None:
    with storage.connection() as client:
        client.set("k", "v")
        assert client.pipeline().get("k").execute() == [b"v"]
