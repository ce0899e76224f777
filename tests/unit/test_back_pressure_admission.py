"""Which pushes to a full queue wait, are dropped or raise (F026): decided without Redis."""

import json

import pytest
from own_home import NOW_S, OwnHome

from pillion.client.admission import Admission, Guard, pressure_of
from pillion.config import Config, QueueLimit
from pillion.errors import ConfigError, PillionError, QueueFull
from pillion.storage.ops.push import Refusal

FULL = Refusal(10, None)


def guard(places=(0,), queue="default", **limit):
    return Guard(queue, QueueLimit(**{"max_size": 10, **limit}), 1_000_000, list(places), [b"{}"] * len(places))


# -- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({}, "QueueLimit"),
        ({"max_size": 0}, "max_size"),
        ({"max_size": True}, "max_size"),
        ({"max_latency_s": 0}, "max_latency_s"),
        ({"max_size": 1, "on_full": "block"}, "on_full"),
        ({"max_size": 1, "on_full": "wait", "wait_timeout_s": -1}, "wait_timeout_s"),
    ],
)
def test_a_limit_that_cannot_be_right_is_refused(fields, option):
    with pytest.raises(ConfigError) as caught:
        QueueLimit(**fields)
    assert caught.value.option == option


@pytest.mark.parametrize("limits", [{"a queue": QueueLimit(max_size=1)}, {"default": 1000}])
def test_a_table_of_limits_that_cannot_be_right_is_refused(limits):
    with pytest.raises(ConfigError, match="queue_limits"):
        Config(queue_limits=limits).validate()


# -- what is sent ------------------------------------------------------------------------------------------


def test_only_the_push_to_the_limited_queue_is_a_script():
    home = OwnHome(queue_limits={"low": QueueLimit(max_size=10)})
    home.client().push({"class": "A", "args": []})
    assert [command[0] for command in home.sent.commands] == ["SADD", "LPUSH"]
    home.client().push({"class": "A", "args": [], "queue": "low"})
    assert home.sent.commands[2][0] == "EVALSHA"


def test_a_scheduled_job_is_not_limited():
    home = OwnHome(queue_limits={"default": QueueLimit(max_size=10)})
    home.client().push({"class": "A", "args": [], "at": NOW_S + 60})
    assert [command[0] for command in home.sent.commands] == ["ZADD"]


# -- after a refusal ---------------------------------------------------------------------------------------


def test_a_push_that_found_room_is_done():
    admission = Admission(["j1"], [guard()])
    assert admission.pause_after([None]) == 0
    assert admission.jids == ["j1"]


def test_queue_full_says_the_queue_the_size_the_limit_and_what_to_do():
    with pytest.raises(PillionError) as caught:
        Admission(["j1"], [guard()]).pause_after([FULL])
    error = caught.value
    assert isinstance(error, QueueFull)
    assert (error.queue, error.size, error.limit, error.count) == ("default", 10, 10, 1)
    assert str(error) == (
        "Queue 'default' is full: 10 jobs wait there, 1 would be added, and max_size is 10. "
        "Nothing was pushed to it. Try again later, add workers, or raise its limit in queue_limits."
    )


def test_queue_full_says_when_it_is_the_age_of_the_oldest_job():
    with pytest.raises(QueueFull, match=r"has waited 61\.5 s, and max_latency_s is 60"):
        Admission(["j1"], [guard(max_size=None, max_latency_s=60)]).pause_after([Refusal(3, 61.5)])


def test_dropped_jobs_have_no_jid_and_the_others_keep_theirs():
    admission = Admission(["a", "b", "c"], [guard(places=[0, 2], on_full="drop")])
    assert admission.pause_after([FULL]) == 0
    assert admission.jids == [None, "b", None]


def test_waiting_tries_again_with_growing_pauses_until_the_timeout():
    admission = Admission(["j1"], [guard(on_full="wait", wait_timeout_s=1.0)])
    pauses = []
    with pytest.raises(QueueFull):
        while pause_s := admission.pause_after([FULL]):
            pauses.append(pause_s)
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08]
    assert sum(pauses) == pytest.approx(1.0)


def test_waiting_ends_when_there_is_room():
    admission = Admission(["j1"], [guard(on_full="wait")])
    assert admission.pause_after([FULL]) > 0
    assert len(admission.ops()) == 1
    assert admission.pause_after([None]) == 0
    assert admission.jids == ["j1"]


def test_only_what_was_refused_is_sent_again():
    admission = Admission(["a", "b"], [guard([0], "one", on_full="wait"), guard([1], "two", on_full="wait")])
    admission.pause_after([None, FULL])
    assert [op.args[1] for op in admission.ops()] == ["queue:two"]


def test_what_can_never_fit_does_not_wait():
    with pytest.raises(QueueFull, match="batch_size=10"):
        Admission(["j"] * 11, [guard(range(11), on_full="wait")]).pause_after([Refusal(0, None)])


# -- pressure ----------------------------------------------------------------------------------------------


def payload(enqueued_at):
    return json.dumps({"enqueued_at": enqueued_at}).encode()


@pytest.mark.parametrize(
    ("limit", "replies", "pressure"),
    [
        (QueueLimit(max_size=10), [0], 0.0),
        (QueueLimit(max_size=10), [4], 0.4),
        (QueueLimit(max_size=10), [99], 1.0),
        (QueueLimit(max_latency_s=60), [5, None], 0.0),
        (QueueLimit(max_latency_s=60), [5, payload(985_000)], 0.25),
        (QueueLimit(max_latency_s=60), [5, payload(985.0)], 0.25),
        (QueueLimit(max_latency_s=60), [5, payload(1_010_000)], 0.0),
        (QueueLimit(max_latency_s=60), [5, b"no JSON"], 0.0),
        (QueueLimit(max_size=10, max_latency_s=60), [5, payload(985_000)], 0.5),
        (QueueLimit(max_size=100, max_latency_s=60), [5, payload(985_000)], 0.25),
    ],
)
def test_pressure_is_the_part_of_the_nearer_limit_that_is_used(limit, replies, pressure):
    assert pressure_of(limit, replies, now_s=1000.0) == pressure


def test_a_queue_without_a_limit_has_no_pressure_and_asks_nobody():
    home = OwnHome()
    assert home.client().pressure("default") == 0.0
    assert home.sent.trips == []
