"""Fake, inline and disabled modes: where a push goes, for whom, and that nothing is left behind (F228, F229, F233)."""

import asyncio
import contextvars
import itertools
import subprocess
import sys
import threading

import pytest
from own_home import Recorder

import pillion
from pillion import testing
from pillion.client import Client
from pillion.config import Config, QueueLimit
from pillion.default import Default
from pillion.errors import ComplexArgument, JobArgumentError, NotTesting, PillionError, QueueFull
from pillion.jobs.base import BaseJob, JobDecorator

NUMBERS = itertools.count()


class Shop:
    """A home of its own, with jobs; its real client only notes what it would send."""

    def __init__(self, **options):
        self.home = Default()
        self.config = Config(**options)
        self.sent = Recorder()
        self.home.install(self.config, Client(self.sent, self.config))
        self.ran = []
        ran = self.ran
        self.job = JobDecorator(self.home)

        class Base(BaseJob, abstract=True, home=self.home): ...

        class Charge(Base, queue="high"):
            def perform(self, order_id: int, note: str = "") -> None:
                ran.append((order_id, note))

        class Fails(Base):
            def perform(self):
                raise ValueError("no money")

        self.Base, self.Charge, self.Fails = Base, Charge, Fails

        @self.job
        async def send_mail(address):
            ran.append(address)

        self.send_mail = send_mail

    def fake(self, **options):
        return testing.fake(home=self.home, **options)

    def inline(self, **options):
        return testing.inline(home=self.home, **options)

    def disabled(self, **options):
        return testing.disabled(home=self.home, **options)


@pytest.fixture
def shop():
    return Shop()


def in_thread(work):
    """What `work` returns, or raises, in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


# -- fake ------------------------------------------------------------------------------------------------


def test_in_fake_mode_a_push_stays_in_memory_and_nothing_runs(shop):
    with shop.fake() as queues:
        jid = shop.Charge.perform_async(42, note="gift")
        [payload] = queues["high"]
    assert payload["jid"] == jid
    assert payload["args"] == [42, "gift"]
    assert payload["class"].endswith(".Charge")
    assert payload["queue"] == "high"
    assert isinstance(payload["enqueued_at"], int)
    assert shop.sent.trips == []
    assert shop.ran == []


def test_a_job_for_later_has_at_and_no_enqueued_at(shop):
    with shop.fake() as queues:
        shop.Charge.perform_in(60, 42)
        [payload] = queues.scheduled
        assert payload["at"] == pytest.approx(testing.now(home=shop.home).timestamp() + 60, abs=5)
    assert "enqueued_at" not in payload


def test_every_way_of_pushing_is_faked(shop):
    with shop.fake() as queues:
        shop.Charge.perform_bulk([[1], [2]])
        shop.Charge.set(queue="low").perform_async(3)
        shop.send_mail.perform_in(5, "ann@example.org")
        shop.home.client().push({"class": "Ruby::Job", "args": [4]})
        shop.home.client().push_many([(shop.Charge, [5]), ("Other", [])])
        asyncio.run(shop.Charge.perform_async.aio(6))
        asyncio.run(shop.home.async_client().push_bulk({"class": shop.Charge, "args": [[7], [8]]}))
        assert len(queues) == 10
        assert set(queues) == {"high", "low", "default"}
    assert shop.sent.trips == []


def test_a_push_through_another_storage_is_faked_too(shop):
    shard = Recorder()
    with shop.fake() as queues:
        shop.Charge.set(pool=shard).perform_async(1)
        with Client.via(shard):
            shop.Charge.perform_async(2)
        assert len(queues) == 2
    assert shard.trips == []


def test_wrong_arguments_fail_as_in_production(shop):
    with shop.fake() as queues:
        with pytest.raises(JobArgumentError, match="order_id"):
            shop.Charge.perform_async()
        with pytest.raises(ComplexArgument, match="tuple"):
            shop.Charge.perform_async((1, 2))
        assert len(queues) == 0


def test_client_middleware_runs_and_may_stop_a_job(shop):
    def only_even(job_class, payload, queue, redis_pool, next_):
        payload["seen"] = True
        return next_() if payload["args"][0] % 2 == 0 else None

    shop.config.client_middleware.add(only_even)
    with shop.fake() as queues:
        assert shop.Charge.perform_async(1) is None
        assert shop.Charge.perform_async(2) is not None
        assert [payload["seen"] for payload in queues.jobs] == [True]


def test_client_middleware_can_use_the_real_connection(shop):
    def asks(job_class, payload, queue, redis_pool, next_):
        with redis_pool.connection() as connection:
            payload["asked"] = connection
        return next_()

    shop.config.client_middleware.add(asks)
    with shop.fake() as queues:
        shop.Charge.perform_async(1)
        assert queues.jobs[0]["asked"] == "a connection"


def test_a_queue_limit_holds():
    shop = Shop(queue_limits={"high": QueueLimit(max_size=2), "default": QueueLimit(max_size=1, on_full="drop")})
    with shop.fake() as queues:
        shop.Charge.perform_bulk([[1], [2]])
        with pytest.raises(QueueFull):
            shop.Charge.perform_async(3)
        assert shop.home.client().pressure("high") == 1.0
        assert shop.send_mail.perform_async("a") is not None
        assert shop.send_mail.perform_async("b") is None
        assert len(queues) == 3


def test_the_age_of_a_queue_limits_it_too():
    shop = Shop(queue_limits={"high": QueueLimit(max_latency_s=60)})
    with shop.fake():
        shop.Charge.perform_async(1)
        shop.Charge.perform_async(2)
        testing.travel(minutes=2, home=shop.home)
        with pytest.raises(QueueFull, match="oldest"):
            shop.Charge.perform_async(3)


def test_waiting_for_room_takes_no_time():
    shop = Shop(queue_limits={"high": QueueLimit(max_size=1, on_full="wait", wait_timeout_s=3600)})
    with shop.fake():
        before = testing.now(home=shop.home)
        shop.Charge.perform_async(1)
        with pytest.raises(QueueFull):
            shop.Charge.perform_async(2)
        with pytest.raises(QueueFull):
            asyncio.run(shop.Charge.perform_async.aio(2))
        assert (testing.now(home=shop.home) - before).total_seconds() == pytest.approx(7200, abs=10)


def test_a_command_that_no_push_sends_is_refused(shop):
    from pillion.storage.ops.base import command

    with shop.fake():
        storage = shop.home.client()._storage({})
        with pytest.raises(PillionError, match="FLUSHALL"):
            storage.run_all([command("FLUSHALL", "")])


def test_a_changed_payload_is_a_changed_job(shop):
    with shop.fake() as queues:
        shop.Charge.perform_async(1)
        queues["high"][0]["args"] = [9]
        shop.Charge.drain()
    assert shop.ran == [(9, "")]


def test_queues_can_be_filled_and_emptied_by_hand(shop):
    with shop.fake() as queues:
        shop.Charge.perform_async(1)
        jid = shop.Charge.perform_async(2)
        queues.push({"class": "Ruby::Job", "args": [], "queue": "ruby", "jid": "j1"})
        assert queues.delete(jid)
        assert not queues.delete(jid)
        assert "ruby" in queues
        assert "low" not in queues
        assert queues.clear("ruby") == 1
        assert repr(queues) == "<FakeQueues high: 1>"
        assert queues.clear() == 1
        assert queues.jobs == []


# -- inline ----------------------------------------------------------------------------------------------


def test_in_inline_mode_a_push_runs_the_job_with_its_arguments_through_json(shop):
    seen = []

    @shop.job
    def look(value):
        seen.append(value)

    given = {"a": [1]}
    with shop.inline():
        assert look.perform_async(given) is not None
    assert seen == [given]
    assert seen[0] is not given


def test_inline_runs_what_is_for_later_and_many_at_once(shop):
    with shop.inline():
        shop.Charge.perform_in(3600, 1)
        shop.Charge.perform_bulk([[2], [3]])
    assert [order_id for order_id, _ in shop.ran] == [1, 2, 3]


def test_inline_an_error_comes_out_of_the_push(shop):
    with shop.inline(), pytest.raises(ValueError, match="no money"):
        shop.Fails.perform_async()


def test_inline_async_jobs_run_on_the_loop_that_pushes(shop):
    async def push():
        await shop.send_mail.perform_async.aio("ann")
        await shop.Charge.perform_async.aio(1)
        with pytest.raises(RuntimeError, match="aio"):
            shop.send_mail.perform_async("bob")

    with shop.inline():
        shop.send_mail.perform_async("cat")
        asyncio.run(push())
    assert shop.ran == ["cat", "ann", (1, "")]


def test_inline_inside_of_fake_looks_at_the_queues_around_it(shop):
    with shop.fake():
        shop.Charge.perform_async(1)
        with shop.inline():
            shop.Charge.perform_async(2)
            assert [payload["args"] for payload in shop.Charge.jobs] == [[1]]
    assert shop.ran == [(2, "")]


# -- disabled, nesting, leaving ----------------------------------------------------------------------------


def test_disabled_is_the_real_thing_inside_of_fake(shop):
    with shop.fake() as queues:
        with shop.disabled():
            shop.Charge.perform_async(1)
            with pytest.raises(NotTesting, match="fake"):
                _ = shop.Charge.jobs
            with pytest.raises(NotTesting):
                shop.Charge.drain()
        shop.Charge.perform_async(2)
        assert [payload["args"] for payload in queues.jobs] == [[2]]
    assert [payload["args"] for payload in shop.sent.pushed] == [[1]]


def test_nested_modes_restore_the_one_around_them(shop):
    names = []
    with shop.fake():
        shop.Charge.perform_async(1)
        with shop.fake() as inner:
            names.append(testing.mode_name(shop.home))
            shop.Charge.perform_async(2)
            with shop.inline():
                names.append(testing.mode_name(shop.home))
            assert [payload["args"] for payload in inner.jobs] == [[2]]
        with shop.disabled():
            names.append(testing.mode_name(shop.home))
        names.append(testing.mode_name(shop.home))
        assert [payload["args"] for payload in shop.Charge.jobs] == [[1]]
    names.append(testing.mode_name(shop.home))
    assert names == ["fake", "inline", "disabled", "fake", "disabled"]


def test_the_block_ends_also_with_an_error(shop):
    with pytest.raises(ValueError), shop.fake():
        raise ValueError
    assert testing.mode_name(shop.home) == "disabled"


def test_afterwards_the_home_has_its_own_client_back(shop):
    before, before_async = shop.home.client(), shop.home.async_client()
    with shop.fake():
        assert shop.home.client() is not before
    assert shop.home.client() is before
    assert shop.home.async_client() is before_async
    assert shop.home.stand_ins is None


def test_nothing_is_opened_by_a_push_in_fake_mode(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")
    home = Default()
    job = JobDecorator(home)

    @job
    def work(): ...

    with testing.fake(home=home):
        work.perform_async()
        assert home._real is None
        assert home._real_async is None


def test_fake_mode_outlives_a_new_config_and_a_reset(shop):
    with shop.fake() as queues:
        shop.home.install(Config())
        shop.Charge.perform_async(1)
        shop.home.reset()
        shop.home.install(Config(), Client(shop.sent, Config()))
        shop.Charge.perform_async(2)
        assert len(queues) == 2
    assert shop.sent.trips == []


def test_outside_of_a_mode_jobs_cannot_be_drained(shop):
    for ask in (
        lambda: shop.Charge.jobs,
        shop.Charge.drain,
        shop.Charge.clear,
        shop.Charge.perform_one,
        shop.Base.drain_all,
        shop.Base.clear_all,
        lambda: shop.send_mail.jobs,
        lambda: testing.assert_enqueued(shop.Charge),
        lambda: testing.travel(hours=1, home=shop.home),
        testing.server_middleware,
        testing.queues,
    ):
        with pytest.raises(NotTesting, match="pillion_fake"):
            ask()
    assert not hasattr(shop.Charge, "jobs")  # tools that look at all attributes pass over it


# -- who sees it -----------------------------------------------------------------------------------------


def test_a_mode_is_not_seen_by_another_thread(shop):
    with shop.fake():
        assert in_thread(lambda: testing.mode_name(shop.home)) == "disabled"
        in_thread(lambda: shop.Charge.perform_async(1))
        assert shop.Charge.jobs == []
    assert len(shop.sent.pushed) == 1


def test_with_everywhere_all_threads_see_it_but_those_in_a_mode_of_their_own(shop):
    def own():
        with shop.fake() as queues:
            shop.Charge.perform_async(2)
            return len(queues)

    with shop.fake(everywhere=True) as queues:
        in_thread(lambda: shop.Charge.perform_async(1))
        assert in_thread(own) == 1
        assert [payload["args"] for payload in queues.jobs] == [[1]]
        with shop.inline():
            assert in_thread(lambda: testing.mode_name(shop.home)) == "fake"
    assert in_thread(lambda: testing.mode_name(shop.home)) == "disabled"


def test_two_threads_in_fake_mode_do_not_see_each_others_jobs(shop):
    meet = threading.Barrier(2)
    seen = {}

    def one(number):
        with shop.fake() as queues:
            meet.wait()
            for _ in range(number):
                shop.Charge.perform_async(number)
            meet.wait()
            seen[number] = [payload["args"][0] for payload in queues.jobs]
        meet.wait()

    threads = [threading.Thread(target=one, args=(number,)) for number in (3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {3: [3] * 3, 5: [5] * 5}
    assert shop.home.stand_ins is None


def test_a_mode_entered_in_one_task_is_not_seen_by_another(shop):
    async def fakes(ready, done):
        with shop.fake() as queues:
            shop.Charge.perform_async(1)
            ready.set()
            await done.wait()
            return len(queues)

    async def main():
        ready, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(fakes(ready, done))
        await ready.wait()
        name = testing.mode_name(shop.home)
        done.set()
        return name, await task

    assert asyncio.run(main()) == ("disabled", 1)


def test_tasks_and_to_thread_inside_of_a_block_are_in_it(shop):
    async def main():
        with shop.fake() as queues:
            await asyncio.gather(*(shop.Charge.perform_async.aio(n) for n in range(3)))
            await asyncio.create_task(shop.Charge.perform_async.aio(3))
            await asyncio.to_thread(shop.Charge.perform_async, 4)
            return sorted(payload["args"][0] for payload in queues.jobs)

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]


def test_a_straggler_of_a_block_that_is_over_is_in_the_one_around_it(shop):
    with shop.fake() as outer:
        with shop.fake():
            late = contextvars.copy_context()
        late.run(shop.Charge.perform_async, 1)
        assert len(outer) == 1


def test_a_block_that_ends_in_another_context_than_it_began_in_ends(shop):
    block = shop.fake()
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert shop.home.stand_ins is None


# -- the package -----------------------------------------------------------------------------------------


def test_importing_it_changes_nothing_and_loads_little():
    code = (
        "import sys, pillion.testing, pillion.testing.pytest_plugin\n"
        "assert 'pillion.default' not in sys.modules and 'redis' not in sys.modules\n"
        "from pillion import default\n"
        "[getattr(pillion.testing, name) for name in pillion.testing.__all__]\n"
        "assert default.Job.__home__.stand_ins is None\n"
        "assert set(pillion.testing.__all__) <= set(dir(pillion.testing))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = testing.nothing


def test_the_default_home_is_the_one_of_pillion_job():
    class Work(pillion.Job, wire_name=f"Work{next(NUMBERS)}"):
        def perform(self): ...

    with testing.fake() as queues:
        Work.perform_async()
        assert testing.queues["default"] == queues.jobs == pillion.Job.jobs
        assert list(testing.queues) == ["default"]
        assert "default" in testing.queues
        assert len(testing.queues) == 1
        assert testing.queues.scheduled == []
        assert repr(testing.queues) == "<FakeQueues default: 1>"
