"""drain, perform_one, clear; time travel; real retry rules; middleware of tests (F127, F230-F235)."""

import asyncio
import itertools
import logging
from datetime import UTC, datetime, timedelta

import pytest

from pillion import context, current_context, testing
from pillion.config import Config
from pillion.default import Default
from pillion.errors import EmptyQueue, Interrupted, JobArgumentError, NotTesting, Postponed, UnknownJobClass
from pillion.jobs.base import BaseJob, JobDecorator

NUMBERS = itertools.count()


class Shop:
    """A home with jobs that note what they did."""

    def __init__(self):
        self.home = home = Default()
        self.config = Config()
        home.install(self.config)
        self.ran = ran = []
        self.job = JobDecorator(home)

        class Base(BaseJob, abstract=True, home=home): ...

        class First(Base):
            def perform(self, n):
                ran.append(("first", n))
                Second.perform_async(n)

        class Second(Base):
            def perform(self, n):
                ran.append(("second", n))
                third.perform_async(n)

        class Money(Base, abstract=True): ...

        class Pay(Money, retry=2):
            fails = True

            def perform(self):
                ran.append(("pay", self.attempt))
                if self.fails:
                    raise ValueError("no money")

        class Refund(Money):
            def perform(self):
                ran.append("refund")

        @self.job
        async def third(n):
            ran.append(("third", n))

        self.Base, self.First, self.Second, self.third = Base, First, Second, third
        self.Money, self.Pay, self.Refund = Money, Pay, Refund


@pytest.fixture
def shop():
    shop = Shop()
    with testing.fake(home=shop.home) as shop.queues:
        yield shop


def travel(shop, **passed):
    return testing.travel(**passed, home=shop.home)


# -- drain -----------------------------------------------------------------------------------------------


def test_drain_runs_the_jobs_of_one_class_in_the_order_of_their_pushes(shop):
    shop.First.perform_async(1)
    shop.First.perform_async(2)
    assert shop.First.drain() == 2
    assert shop.ran == [("first", 1), ("first", 2)]
    assert [payload["args"] for payload in shop.Second.jobs] == [[1], [2]]


def test_drain_includes_what_is_pushed_while_it_runs(shop):
    @shop.job
    def count_down(n):
        shop.ran.append(n)
        if n:
            count_down.perform_async(n - 1)

    count_down.perform_async(3)
    assert count_down.drain() == 4
    assert shop.ran == [3, 2, 1, 0]


def test_drain_all_runs_a_chain_of_three(shop):
    shop.First.perform_async(1)
    assert shop.Base.drain_all() == 3
    assert shop.ran == [("first", 1), ("second", 1), ("third", 1)]
    assert shop.Base.jobs == []


def test_a_base_class_means_the_jobs_derived_from_it(shop):
    shop.Pay.perform_async()
    shop.Refund.perform_async()
    shop.First.perform_async(1)
    assert len(shop.Money.jobs) == 2
    assert len(shop.Base.jobs) == 3
    assert shop.Money.clear() == 2
    assert shop.Base.drain() == 3  # the base of all: the chain too


def test_an_error_comes_out_and_the_job_is_gone(shop):
    shop.Pay.perform_async()
    shop.Pay.perform_async()
    with pytest.raises(ValueError, match="no money"):
        shop.Base.drain_all()
    assert len(shop.Pay.jobs) == 1


def test_perform_one_runs_the_next(shop):
    jid = shop.First.perform_async(1)
    shop.First.perform_async(2)
    assert shop.First.perform_one() == jid
    assert shop.ran == [("first", 1)]
    shop.First.clear()
    with pytest.raises(EmptyQueue, match="First"):
        shop.First.perform_one()
    shop.First.perform_in(600, 3)
    with pytest.raises(EmptyQueue, match="travel"):
        shop.First.perform_one()


def test_clear_and_clear_all(shop):
    shop.First.perform_async(1)
    shop.third.perform_async(1)
    assert shop.third.clear() == 1
    assert len(shop.First.jobs) == 1
    assert shop.Base.clear_all() == 1


def test_each_run_has_an_object_of_its_own_that_knows_its_job(shop):
    seen = []

    class Look(shop.Base, queue="low"):
        def perform(self):
            seen.append((id(self), self.jid, self.queue_name, self.interrupted, self.attempt))

    jids = [Look.perform_async(), Look.perform_async()]
    Look.drain()
    assert [jid for _, jid, *_ in seen] == jids
    assert seen[0][2:] == ("low", False, 0)


def test_a_job_that_is_not_known_here_says_so(shop):
    shop.home.client().push({"class": "Ruby::Job", "args": []})
    with pytest.raises(UnknownJobClass, match="Ruby::Job"):
        shop.Base.drain_all()


def test_async_jobs_drain_with_and_without_a_loop(shop):
    shop.third.perform_async(1)
    assert shop.third.drain() == 1

    async def main():
        await shop.third.perform_async.aio(2)
        await shop.First.perform_async.aio(3)
        with pytest.raises(RuntimeError, match="aio"):
            shop.third.drain()
        await shop.third.perform_async.aio(4)
        await shop.third.perform_one.aio()
        return await shop.Base.drain_all.aio()

    assert asyncio.run(main()) == 3
    assert shop.ran == [("third", 1), ("third", 4), ("first", 3), ("second", 3), ("third", 3)]


def test_an_interrupted_job_waits_for_the_next_drain(shop):
    class Long(shop.Base):
        def perform(self):
            shop.ran.append("some")
            raise Interrupted

    Long.perform_async()
    assert Long.drain() == 1
    assert len(Long.jobs) == 1
    assert Long.drain() == 1


def test_a_postponed_job_waits_for_its_time(shop):
    class Later(shop.Base):
        def perform(self):
            raise Postponed(60)

    Later.perform_async()
    assert Later.drain() == 1
    assert Later.drain() == 0
    travel(shop, minutes=2)
    assert Later.drain() == 1


def test_a_job_carries_its_own_context_and_not_that_of_the_test(shop):
    seen = []

    @shop.job
    def inner():
        seen.append(current_context())

    @shop.job
    def outer():
        seen.append(current_context())
        inner.perform_async()

    with context(user="ann"):
        outer.perform_async()
    with context(user="test"):
        shop.Base.drain_all()
        assert current_context() == {"user": "test"}
    assert seen == [{"user": "ann"}, {"user": "ann"}]


# -- time ------------------------------------------------------------------------------------------------


def test_a_job_for_later_runs_when_its_time_has_come(shop):
    shop.Refund.perform_in(timedelta(hours=1))
    assert shop.Refund.drain() == 0
    travel(shop, minutes=59)
    assert shop.Refund.drain() == 0
    travel(shop, minutes=1)
    assert shop.Refund.drain() == 1
    [payload] = shop.queues.ran
    assert "at" not in payload
    assert payload["enqueued_at"] == pytest.approx(testing.now(home=shop.home).timestamp() * 1000, abs=5000)


def test_what_is_due_runs_in_the_order_of_its_time(shop):
    seen = []

    @shop.job
    def note(name):
        seen.append(name)

    note.perform_in(60, "c")
    note.perform_in(30, "b")
    note.perform_async("a")
    travel(shop, hours=1)
    note.perform_async("d")
    note.drain()
    assert seen == ["a", "b", "c", "d"]


def test_travel_to_and_to_next(shop):
    moment = datetime.now(UTC) + timedelta(days=3)
    assert testing.travel_to(moment, home=shop.home) >= moment
    assert testing.travel_to_next(home=shop.home) is None
    shop.Refund.perform_in(60)
    assert testing.travel_to_next(home=shop.home) >= moment + timedelta(seconds=60)
    assert shop.Refund.drain() == 1
    with pytest.raises(ValueError, match="forward"):
        travel(shop, days=-1)
    with pytest.raises(ValueError, match="time zone"):
        testing.travel_to(datetime(2030, 1, 1), home=shop.home)  # noqa: DTZ001


def test_drain_may_travel_by_itself(shop):
    before = testing.now(home=shop.home)
    shop.Refund.perform_in(3600)
    assert shop.Refund.drain(travel=True) == 1
    assert testing.now(home=shop.home) - before >= timedelta(hours=1)


def test_each_mode_has_a_clock_of_its_own(shop):
    travel(shop, days=1)
    with testing.fake(home=shop.home):
        assert abs(testing.now(home=shop.home) - datetime.now(UTC)) < timedelta(minutes=1)
    assert testing.now(home=shop.home) - datetime.now(UTC) > timedelta(hours=23)


def test_client_middleware_sees_a_job_again_when_it_comes_due(shop):
    @shop.config.client_middleware.add
    def veto(job_class, payload, queue, redis_pool, next_):
        return next_() if "Refund" not in str(job_class) or not isinstance(job_class, str) else None

    shop.Refund.perform_in(60)
    travel(shop, minutes=2)
    assert shop.Refund.drain() == 0
    assert shop.Refund.jobs == []


# -- retries -----------------------------------------------------------------------------------------------


def test_with_retries_a_failed_job_waits_for_its_next_try(shop):
    shop.Pay.perform_async()
    assert shop.Pay.drain(retries=True) == 1
    [payload] = shop.queues.retries
    assert payload["retry_count"] == 0
    assert payload["error_class"] == "ValueError"
    assert payload["error_message"] == "no money"
    in_s = payload["at"] - testing.now(home=shop.home).timestamp()
    assert 13 <= in_s <= 26  # 15 s and up to 10 s of jitter
    assert shop.Pay.drain(retries=True) == 0
    travel(shop, seconds=30)
    shop.Pay.fails = False
    assert shop.Pay.drain(retries=True) == 1
    assert shop.ran == [("pay", 0), ("pay", 1)]
    assert len(shop.queues) == 0


def test_when_its_retries_are_used_up_it_dies_and_the_handlers_are_told(shop):
    deaths, errors = [], []
    shop.config.death_handlers.append(lambda job, exc: deaths.append((job["class"], str(exc))))
    shop.config.error_handlers.append(lambda exc, facts, config: errors.append(facts["job"]["jid"]))
    jid = shop.Pay.perform_async()
    while shop.Pay.drain(retries=True):
        testing.travel_to_next(home=shop.home)
    assert shop.ran == [("pay", 0), ("pay", 1), ("pay", 2)]
    [dead] = shop.queues.dead
    assert dead["jid"] == jid
    assert errors == [jid] * 3
    assert len(deaths) == 1
    assert shop.queues.clear() == 0
    assert shop.queues.dead == []


def test_25_retries_take_three_weeks_and_a_moment_of_the_test(shop, caplog):
    caplog.set_level(logging.CRITICAL, "pillion")

    @shop.job
    def never():
        raise ValueError

    never.perform_async()
    before = testing.now(home=shop.home)
    assert never.drain(retries=True, travel=True) == 26
    assert timedelta(days=20) < testing.now(home=shop.home) - before < timedelta(days=21)
    assert len(shop.queues.dead) == 1


def test_the_hooks_of_a_job_have_their_say(shop):
    told = []

    class Picky(shop.Base):
        @staticmethod
        def retry_in(count, exc, payload):
            return "discard" if isinstance(exc, KeyError) else 100

        @staticmethod
        def on_retries_exhausted(payload, exc):
            told.append(payload["jid"])

        def perform(self, kind):
            raise {"key": KeyError, "value": ValueError}[kind]

    Picky.perform_async("key")
    Picky.perform_async("value")
    Picky.set(retry=0).perform_async("value")
    assert Picky.drain(retries=True) == 3
    assert len(shop.queues.retries) == 1
    assert len(shop.queues.dead) == 1
    assert len(told) == 1


def test_an_async_drain_follows_the_retry_rules_too(shop):
    shop.Pay.perform_async()
    assert asyncio.run(shop.Pay.drain.aio(retries=True)) == 1
    assert len(shop.queues.retries) == 1


# -- middleware --------------------------------------------------------------------------------------------


class Wrapped(Exception):
    pass


def wrap(job, payload, queue, next_):
    try:
        return next_()
    except ValueError as exc:
        raise Wrapped from exc


def test_middleware_of_production_is_not_there_unless_a_test_adds_it():
    shop = Shop()
    shop.config.server_middleware.add(wrap)
    # testing.server_middleware is about pillion's own home
    from pillion import Job

    class Fails(Job, wire_name=f"Fails{next(NUMBERS)}"):
        def perform(self):
            raise ValueError

    with testing.fake(home=shop.home):
        shop.Pay.perform_async()
        with pytest.raises(ValueError):
            shop.Pay.drain()
    with testing.fake():
        Fails.perform_async()
        with pytest.raises(ValueError):
            Fails.drain()
        testing.server_middleware().add(wrap)
        with testing.inline(), pytest.raises(Wrapped):
            Fails.perform_async()
        with testing.fake():
            testing.server_middleware(lambda chain: chain.clear())
        Fails.perform_async()
        with pytest.raises(Wrapped):
            Fails.drain()
    with testing.fake():
        assert testing.server_middleware().is_empty
    with pytest.raises(NotTesting):
        testing.server_middleware()


# -- perform_multiple ----------------------------------------------------------------------------------------


def test_perform_multiple_runs_with_one_payload(shop):
    seen = []

    class Note(shop.Base):
        def perform(self, value):
            seen.append((self.jid, value))
            shop.Refund.perform_async()

    testing.perform_multiple(Note, [{"a": 1}])
    assert len(seen) == 3
    assert len(set(map(str, seen))) == 1
    assert shop.ran == ["refund"] * 3
    testing.perform_multiple(Note, [1], times=2, drain=False)
    assert shop.ran == ["refund"] * 3
    assert len(shop.queues) == 0


def test_perform_multiple_finds_a_job_that_is_not_idempotent(shop):
    balance = []

    @shop.job
    async def add(amount):
        balance.append(amount)

    testing.perform_multiple(add, [5])
    with pytest.raises(AssertionError):
        assert balance == [5]


@pytest.mark.parametrize("args", [1, "ab", b"ab", {"id": 1}, None])
def test_perform_multiple_wants_a_list_of_arguments(shop, args):
    with pytest.raises(JobArgumentError, match="args: expected the list of all arguments") as refused:
        testing.perform_multiple(shop.First, args)
    assert f"write [{args!r}]." in str(refused.value)


def test_perform_multiple_refuses_what_a_push_refuses(shop):
    from pillion.errors import PillionError

    with pytest.raises(JobArgumentError):
        testing.perform_multiple(shop.First, [1, 2])
    shop.config.client_middleware.add(lambda *args: None)
    with pytest.raises(PillionError, match="middleware"):
        testing.perform_multiple(shop.First, [1])


def test_many_jobs_drain_in_order_and_in_time(shop):
    seen = []

    @shop.job
    def note(n):
        seen.append(n)

    note.perform_bulk([n] for n in range(5000))
    assert note.drain() == 5000
    assert seen == list(range(5000))


def test_an_iterable_job_runs_to_its_end_without_redis():
    from pillion import IterableJob
    from pillion.iterable.enumerators import sequence

    seen = []

    class Walk(IterableJob, wire_name=f"Walk{next(NUMBERS)}"):
        def build_enumerator(self, top, *, cursor):
            return sequence(range(top), cursor)

        def each_iteration(self, item, top):
            seen.append(item)

    with testing.fake():
        Walk.perform_async(3)
        assert Walk.drain() == 1
    assert seen == [0, 1, 2]
