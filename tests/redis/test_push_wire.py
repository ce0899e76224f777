"""What a push sends to Redis, byte for byte (wire-format 2.1, 3.1, 13), and what is in Redis afterwards."""

import asyncio
import json
import re
import uuid
from contextlib import contextmanager

import pytest

from pillion.client import AsyncClient, Client
from pillion.client.intake import Intake
from pillion.config import Config, RedisConfig
from pillion.storage.aio import AsyncStorage
from pillion.storage.connect import open_async_storage

HANDSHAKE = {b"HELLO", b"CLIENT", b"SELECT"}


def unescape(text):
    """One argument as MONITOR prints it, back to bytes."""
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


@contextmanager
def monitored(raw):
    """The commands that the server got inside the block, each a list of bytes."""
    commands = []
    connection = raw.connection_pool.make_connection()
    connection.connect()
    connection.send_command("MONITOR")
    assert connection.read_response() == b"OK"
    try:
        yield commands
        marker = uuid.uuid4().hex
        raw.echo(marker)
        while True:
            line = connection.read_response().decode("latin-1")
            command = [unescape(part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', line.split("] ", 1)[1])]
            if command == [b"ECHO", marker.encode()]:
                break
            if command[0] not in HANDSHAKE:
                commands.append(command)
    finally:
        connection.disconnect()


def client_at(storage, now_s, jid):
    config = Config()
    return Client(storage, config, intake=Intake(config, clock=lambda: now_s, jid=lambda: jid))


def test_an_immediate_push_is_the_golden_vector(storage, raw):
    client = client_at(storage, 1795300027.7135, "c9f6793beefe481e912ac3a7")
    item = {
        "retry": 5,
        "queue": "critical",
        "backtrace": True,
        "tags": ["a"],
        "args": [1, "é/☃\u0001"],
        "class": "HardJob",
    }
    with monitored(raw) as commands:
        client.push(item)
    payload = (
        '{"retry":5,"queue":"critical","backtrace":true,"tags":["a"],"args":[1,"é/☃\\u0001"],"class":"HardJob",'
        '"jid":"c9f6793beefe481e912ac3a7","created_at":1795300027713,"enqueued_at":1795300027713}'
    )
    assert commands == [[b"SADD", b"queues", b"critical"], [b"LPUSH", b"queue:critical", payload.encode()]]


def test_a_scheduled_push_is_the_golden_vector(storage, raw):
    client = client_at(storage, 1795300070.532, "9922ab488a26202ca88dcdde")
    with monitored(raw) as commands:
        client.push({"queue": "single", "args": [7], "class": "OkJob", "at": 1795300075.5323694})
    payload = (
        b'{"retry":true,"queue":"single","args":[7],"class":"OkJob",'
        b'"jid":"9922ab488a26202ca88dcdde","created_at":1795300070532}'
    )
    assert commands == [[b"ZADD", b"schedule", b"1795300075.5323694", payload]]


def test_a_push_due_at_once_also_wakes_the_scheduler(storage, raw):
    client = client_at(storage, 1000.0, "j")
    with monitored(raw) as commands:
        client.push({"args": [], "class": "A", "at": 1001.0})
    assert commands[1:] == [
        [b"LPUSH", b"pl:scheduler:wake", b"1"],
        [b"LTRIM", b"pl:scheduler:wake", b"0", b"0"],
        [b"EXPIRE", b"pl:scheduler:wake", b"5"],
    ]


def test_a_bulk_push_is_one_sadd_and_one_lpush_for_each_queue_and_batch(storage, raw):
    client = Client(storage, Config())
    with monitored(raw) as commands:
        jids = client.push_bulk({"class": "A", "args": [[n] for n in range(2500)]})
    assert [(command[0], len(command)) for command in commands] == [
        *[(b"SADD", 3), (b"LPUSH", 1002)] * 2,
        (b"SADD", 3),
        (b"LPUSH", 502),
    ]
    assert len(set(jids)) == 2500
    assert raw.llen("queue:default") == 2500


def test_jobs_run_in_the_order_they_were_pushed(storage, raw):
    client = Client(storage, Config())
    client.push({"class": "A", "args": [0]})
    client.push_bulk({"class": "A", "args": [[1], [2]]})
    popped = [json.loads(raw.rpop("queue:default"))["args"][0] for _ in range(3)]
    assert popped == [0, 1, 2]


def test_the_score_in_the_schedule_is_the_due_time(storage, raw):
    Client(storage, Config()).push({"class": "A", "args": [], "at": 1893456000.25})
    ((member, score),) = raw.zrange("schedule", 0, -1, withscores=True)
    assert score == 1893456000.25
    assert not {"at", "enqueued_at"} & set(json.loads(member))


def test_many_wake_ups_leave_one(storage, raw):
    client = client_at(storage, 1000.0, "j")
    for n in range(5):
        client.push({"args": [n], "class": "A", "at": 1000.5})
    assert raw.llen("pl:scheduler:wake") == 1
    assert 0 < raw.ttl("pl:scheduler:wake") <= 5


def test_a_refused_job_leaves_redis_untouched(storage, raw):
    with pytest.raises(ValueError, match="plain JSON"):
        Client(storage, Config()).push({"class": "A", "args": [object()]})
    assert raw.dbsize() == 0


def test_big_integers_and_deep_values_come_back_as_they_went(storage, raw):
    value = [2**200, {"a": {"b": [None, True, 0.1, -1e-7, "☃"]}}]
    Client(storage, Config()).push({"class": "A", "args": [value]})
    assert json.loads(raw.rpop("queue:default"))["args"] == [value]


def test_the_async_client_sends_the_same(redis_url, raw):
    config = Config(redis=RedisConfig(url=redis_url))

    async def push():
        storage: AsyncStorage = open_async_storage(config)
        client = AsyncClient(storage, config)
        with monitored(raw) as commands:
            await client.push({"class": "A", "args": [1], "jid": "j", "created_at": 5})
            await client.push({"class": "A", "args": [1], "jid": "j", "created_at": 5, "at": 4_000_000_000})
        return commands

    commands = asyncio.run(push())
    assert [command[:2] for command in commands] == [
        [b"SADD", b"queues"],
        [b"LPUSH", b"queue:default"],
        [b"ZADD", b"schedule"],
    ]
    assert json.loads(raw.rpop("queue:default"))["jid"] == "j"
