"""Effects of features on the outcome of a job, when one of their steps fails."""

import pytest
from engine import Engine, payload, until

from pillion.errors import Interrupted


@pytest.fixture
def engine(storage):
    engine = Engine(storage)
    yield engine
    engine.stop()


def test_an_effect_that_fails_does_not_repeat_its_job(engine, raw, caplog):
    ran = []

    def once():
        ran.append(1)
        if len(ran) == 1:
            raise Interrupted

    raw.set("wrong", "not a list")
    engine.config.effects.append(lambda job, outcome: [("INCR", "tally"), ("LPUSH", "wrong", "x")])
    engine.job("Once", once)
    raw.lpush("queue:default", payload("Once"))
    engine.start()
    until(lambda: raw.get("stat:processed") == b"2")
    assert (len(ran), raw.get("tally")) == (2, b"2")
    assert not raw.exists("queue:default", engine.inflight())
    assert "LPUSH: WRONGTYPE" in caplog.text


def test_an_effect_whose_first_step_fails_alone_keeps_the_job_in_flight_until_it_is_mended(engine, raw):
    raw.set("wrong", "not a list")
    engine.config.effects.append(lambda job, outcome: [("LPUSH", "wrong", "x")])
    engine.job("Fine", lambda: None)
    raw.lpush("queue:default", payload("Fine"))
    engine.start()
    assert engine.reported.acquire(timeout=10)
    assert raw.hvals(engine.inflight()) == [payload("Fine")]
    raw.delete("wrong")
    until(lambda: raw.get("stat:processed") == b"1")
    assert raw.lrange("wrong", 0, -1) == [b"x"]
