"""perform_async, perform_in, perform_at, perform_bulk, perform_chunked and set: what each writes (behaviour 1 and 2).

The clock of OwnHome stands still, and its jids are j1, j2, ...
"""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from own_home import NOW_MS, NOW_S, OwnHome

from pillion.errors import ConfigError, InvalidJob

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001 -- naive on purpose


@pytest.fixture
def home():
    return OwnHome()


@pytest.fixture
def order(home):
    class CompleteOrder(home.Job, queue="high", retry=5, wire_name="CompleteOrder"):
        def perform(self, order_id, note=""): ...

    return CompleteOrder


PAYLOAD = {"retry": 5, "queue": "high", "args": [42], "class": "CompleteOrder", "jid": "j1", "created_at": NOW_MS}


def test_perform_async_writes_one_payload_in_one_round_trip(home, order):
    assert order.perform_async(42) == "j1"
    raw = (
        b'{"retry":5,"queue":"high","args":[42],"class":"CompleteOrder","jid":"j1",'
        b'"created_at":1795300000500,"enqueued_at":1795300000500}'
    )
    assert home.sent.trips == [[("SADD", "queues", "high"), ("LPUSH", "queue:high", raw)]]


def test_perform_in_writes_to_the_schedule_without_at_and_enqueued_at(home, order):
    assert order.perform_in(300, 42) == "j1"
    assert home.sent.scheduled == [(NOW_S + 300, PAYLOAD)]
    assert [command[0] for command in home.sent.commands] == ["ZADD"]


@pytest.mark.parametrize(
    ("moment", "score"),
    [
        (10, NOW_S + 10),
        (0.25, NOW_S + 0.25),
        (timedelta(minutes=5), NOW_S + 300),
        (datetime(2030, 1, 1, tzinfo=UTC), 1_893_456_000),
        (2_000_000_000, 2_000_000_000),
        (timedelta(days=20_000), NOW_S + 1_728_000_000),
    ],
    ids=str,
)
@pytest.mark.parametrize("call", ["perform_in", "perform_at"])
def test_perform_in_and_perform_at_take_the_same_kinds_of_time(home, order, call, moment, score):
    getattr(order, call)(moment, 42)
    assert [at for at, _ in home.sent.scheduled] == [score]


@pytest.mark.parametrize("moment", [0, -5, NOW_S, NOW_S - 1, timedelta(seconds=-1), datetime(2020, 1, 1, tzinfo=UTC)])
def test_what_is_due_already_is_pushed_at_once_without_at(home, order, moment):
    order.perform_in(moment, 42)
    assert home.sent.pushed == [{**PAYLOAD, "enqueued_at": NOW_MS}]
    assert home.sent.scheduled == []


@pytest.mark.parametrize("moment", ["5", None, True, float("nan"), NAIVE])
def test_what_is_no_time_is_refused(home, order, moment):
    with pytest.raises(InvalidJob) as error:
        order.perform_in(moment, 42)
    assert error.value.field == "at"
    assert home.sent.trips == []


def test_a_job_due_within_two_seconds_wakes_the_scheduler_in_the_same_round_trip(home, order):
    order.perform_in(1.9, 42)
    assert len(home.sent.trips) == 1
    assert home.sent.trips[0][1:] == [
        ("LPUSH", "pl:scheduler:wake", "1"),
        ("LTRIM", "pl:scheduler:wake", 0, 0),
        ("EXPIRE", "pl:scheduler:wake", 5),
    ]


def test_a_job_due_later_does_not_wake_the_scheduler(home, order):
    order.perform_in(2, 42)
    assert [command[0] for command in home.sent.commands] == ["ZADD"]


# -- bulk ----------------------------------------------------------------------------------------------


def test_perform_bulk_pushes_one_job_for_each_list_of_arguments(home, order):
    assert order.perform_bulk([[1], [2, "x"]]) == ["j1", "j2"]
    assert [payload["args"] for payload in home.sent.pushed] == [[1], [2, "x"]]
    assert len(home.sent.trips) == 1


def test_a_flat_list_is_a_clear_type_error(home, order):
    with pytest.raises(TypeError, match="list of lists"):
        order.perform_bulk([1, 2])
    with pytest.raises(InvalidJob):
        order.perform_bulk(["ab"])
    assert home.sent.trips == []


@pytest.mark.parametrize(("delay", "scores"), [(300, [300, 300]), ([60, 120], [60, 120])])
def test_bulk_perform_in_takes_one_delay_or_one_for_each(home, order, delay, scores):
    order.bulk_perform_in(delay, [[1], [2]])
    assert [at - NOW_S for at, _ in home.sent.scheduled] == scores


def test_perform_chunked_cuts_ids_into_jobs(home, order):
    assert order.perform_chunked(iter(range(100)), of=10) == [f"j{n}" for n in range(1, 11)]
    chunks = [payload["args"] for payload in home.sent.pushed]
    assert all(len(args) == 1 and len(args[0]) == 10 for args in chunks)
    assert [number for args in chunks for number in args[0]] == list(range(100))


def test_perform_chunked_puts_what_is_left_into_a_last_job(home, order):
    order.perform_chunked([1, 2, 3], of=2)
    assert [payload["args"] for payload in home.sent.pushed] == [[[1, 2]], [[3]]]


@pytest.mark.parametrize("of", [0, -1, True, 2.5])
def test_perform_chunked_needs_a_size(order, of):
    with pytest.raises(InvalidJob, match="how many ids"):
        order.perform_chunked([1], of=of)


# -- set -----------------------------------------------------------------------------------------------


def test_set_goes_before_the_options_of_the_class(home, order):
    order.set(queue="low", retry=False, unique_for=60).perform_async(1)
    payload = home.sent.pushed[0]
    assert (payload["queue"], payload["retry"], payload["unique_for"]) == ("low", False, 60)
    assert home.sent.commands[1][1] == "queue:low"


def test_set_accumulates_and_leaves_the_setter_it_came_from_alone(home, order):
    first = order.set(queue="low")
    second = first.set(tags=["x"])
    first.perform_async(1)
    second.perform_async(2)
    assert ["tags" in payload for payload in home.sent.pushed] == [False, True]
    assert [payload["queue"] for payload in home.sent.pushed] == ["low", "low"]


def test_a_setter_can_be_used_again_and_gives_each_job_a_jid_of_its_own(home, order):
    setter = order.set(queue="low")
    assert setter.perform_async(1) != setter.perform_async(2)


def test_perform_in_on_a_setter_leaves_nothing_behind(home, order):
    setter = order.set(queue="low")
    setter.perform_in(60, 1)
    setter.perform_async(2)
    assert len(home.sent.scheduled) == 1
    assert "enqueued_at" in home.sent.pushed[1]


@pytest.mark.parametrize("key", ["wait", "wait_until"])
def test_wait_is_perform_in_counted_from_each_push(home, order, key):
    setter = order.set(**{key: 60})
    setter.perform_async(1)
    home.now_s += 10
    setter.perform_async(2)
    assert [at - NOW_S for at, _ in home.sent.scheduled] == [60, 70]


def test_an_explicit_time_goes_before_wait(home, order):
    order.set(wait=60).perform_in(5, 1)
    assert home.sent.scheduled[0][0] == NOW_S + 5


def test_wait_holds_for_bulk_pushes(home, order):
    order.set(wait=60).perform_bulk([[1], [2]])
    assert [at - NOW_S for at, _ in home.sent.scheduled] == [60, 60]


def test_wait_wait_until_and_sync_never_reach_the_payload(home, order):
    order.set(wait=-1, sync=False).perform_async(42)
    assert home.sent.pushed == [{**PAYLOAD, "enqueued_at": NOW_MS}]


def test_pool_pushes_through_another_storage_once(home, order):
    shard = OwnHome().sent
    order.set(pool=shard).perform_async(42)
    assert home.sent.trips == []
    assert shard.pushed == [{**PAYLOAD, "enqueued_at": NOW_MS}]


def test_set_refuses_what_belongs_to_the_push(order):
    with pytest.raises(ConfigError):
        order.set(jid="mine")


# -- functions, instances, asyncio -----------------------------------------------------------------------


def test_functions_have_the_same_calls(home):
    @home.job(queue="mailers", wire_name="send")
    async def send(address, times=1): ...

    send.perform_async("a", times=2)
    send.perform_in(60, "b")
    send.set(queue="slow").perform_async("c")
    send.perform_bulk([["d"], ["e"]])
    assert [payload["queue"] for payload in home.sent.pushed] == ["mailers", "mailers", "slow", "mailers", "mailers"]
    assert [payload["args"] for payload in home.sent.pushed] == [["a", 2], ["b"], ["c"], ["d"], ["e"]]
    assert all(payload["class"] == "send" for payload in home.sent.pushed)


def test_calls_work_on_an_instance_as_well(home, order):
    order().perform_async(42)
    assert home.sent.pushed == [{**PAYLOAD, "enqueued_at": NOW_MS}]


def test_every_call_has_an_awaitable_form_that_writes_the_same(home, order):
    calls = [
        lambda job: job.perform_async,
        lambda job: job.set(queue="low").perform_async,
    ]
    for call in calls:
        call(order)(42)

    async def push():
        for call in calls:
            await call(order).aio(42)
        await order.perform_in.aio(60, 42)
        await order.perform_bulk.aio([[1], [2]], batch_size=1)
        await order.bulk_perform_in.aio(60, [[1]])
        await order.perform_chunked.aio([1, 2, 3], of=2)

    asyncio.run(push())
    same = [{**payload, "jid": None} for payload in home.sent.pushed]
    assert [{**payload, "jid": None} for payload in home.sent_async.pushed[:2]] == same
    assert [command[0] for trip in home.sent_async.trips[2:] for command in trip] == [
        "ZADD",
        *["SADD", "LPUSH"] * 2,
        "ZADD",
        *["SADD", "LPUSH"],
    ]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("delay", "write perform_async("),
        ("delay_for", "write perform_in("),
        ("delay_until", "write perform_at("),
        ("apply_async", "write perform_async("),
        ("apply", "write perform_inline("),
        ("send", "write perform_async("),
        ("send_with_options", "write perform_async("),
        ("retry", "raise the error"),
    ],
)
def test_names_from_elsewhere_say_what_to_write_here(home, order, name, instead):
    function = home.job(lambda: None)
    for job in (order, order(), function, order.set(queue="low"), function.set(queue="low")):
        with pytest.raises(AttributeError, match=re.escape(f"A job has no {name!r} here: {instead}")):
            getattr(job, name)(1)


def test_a_job_may_have_such_a_name_of_its_own_or_of_a_mixin(home):
    class Sends:
        retry = 3

        def send(self, text):
            return f"{text} sent"

    class Mail(home.Job, Sends):
        def perform(self): ...

        def delay(self):
            return 5

    mail = Mail()
    mail.apply = "set on the object"
    assert (mail.delay(), mail.send("a"), mail.retry, Mail.retry) == (5, "a sent", 3, 3)
    assert mail.apply == "set on the object"
