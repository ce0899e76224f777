"""A job pushed in one language runs in the other, with equal arguments (F001 to F005)."""

import asyncio
import json
import time

import pytest

from pillion import default, job

# Values that some JSON writer or reader is known to get wrong.
ARGUMENTS = {
    "nothing": [],
    "null, true and false": [None, True, False],
    "emoji and accents": ["naïve ☃ 🦊 👩‍👩‍👧 日本語 ع"],
    "line separators": ["a\u2028b\u2029c", "tab\tnewline\ncr\r"],
    "control characters": ["\x00\x01\b\f\x1b\x7f\x80"],
    "quotes and slashes": ['"\\/</script>'],
    "integers beyond 64 bit": [2**63, -(2**63) - 1, 2**64, 10**40, 2**53 + 1],
    "tenths": [0.1, 1.5, -2.25, 1e3, 100.0],
    "integers and floats apart": [1, 1.0, -1, -1.0],
    "minus zero": [-0.0, 0.0, 0],
    "tiny floats": [5e-324, 1e-7, 1.5e-5, 2.2250738585072014e-308],
    "huge floats": [1e16, 1.7976931348623157e308, 123456789012345680.0, -1e22],
    "nested lists and maps": [[[], [[1, [2]]], {}], {"a": {"b": [{"c": None}]}}],
    "odd map keys": [{"": 0, " ": 1, "ключ": 2, "1": 3, 'q"': 4}],
    "order of map keys": [{"z": 1, "a": 2, "m": 3}],
    "a long text": ["Ω" * 100_000],
}

EXTRAS = {"retry": 3, "tags": ["urgent", "ünï"], "backtrace": 5, "tenant": {"id": 7, "name": "ACME"}, "trace": "a-b"}


def canonical(value):
    """Text that is equal only if type, value and order of keys are."""
    return json.dumps(value)


@pytest.fixture(params=["ruby to pillion", "pillion to ruby"])
def way(request, fleet):
    """(pushes a job, the queue of the other language, that language)"""
    if request.param == "ruby to pillion":
        return fleet.ruby.push, "python", "pillion"
    return fleet.push, "ruby", "ruby"


class TestPushNow:
    @pytest.mark.parametrize("args", ARGUMENTS.values(), ids=ARGUMENTS)
    def test_the_arguments_arrive_equal(self, fleet, way, args):
        push, queue, language = way
        run = fleet.ledger.wait_for(push("Echo", *args, queue=queue))
        assert run["by"] == language
        assert canonical(run["args"]) == canonical(args)

    def test_each_job_runs_once(self, fleet, way):
        push, queue, _ = way
        jids = [push("Echo", n, queue=queue) for n in range(50)]
        for jid in jids:
            fleet.ledger.wait_for(jid)
        assert [len(fleet.ledger.of(jid)) for jid in jids] == [1] * 50

    def test_options_and_own_keys_do_not_disturb(self, fleet, way):
        push, queue, _ = way
        assert fleet.ledger.wait_for(push("Echo", 1, queue=queue, **EXTRAS))["args"] == [1]


class TestJobClasses:
    def test_a_pillion_job_has_the_name_of_a_ruby_class(self, fleet):
        jid = fleet.ruby("Orders::CompleteJob.perform_async(42)")
        run = fleet.ledger.wait_for(jid)
        assert (run["by"], run["class"], run["args"]) == ("pillion", "Orders::CompleteJob", [42])

    def test_a_ruby_class_is_pushed_from_pillion_by_its_name(self, fleet):
        run = fleet.ledger.wait_for(fleet.push("Orders::CompleteJob", 43, queue="ruby"))
        assert (run["by"], run["class"], run["args"]) == ("ruby", "Orders::CompleteJob", [43])

    def test_ruby_pushes_a_pillion_job_by_its_python_name(self, fleet):
        run = fleet.ledger.wait_for(fleet.ruby.push("interop_jobs.Plain", "x", queue="python"))
        assert (run["by"], run["args"]) == ("pillion", ["x"])

    def test_ruby_sets_options_for_one_push(self, fleet):
        jid = fleet.ruby("Orders::CompleteJob.set(queue: 'python', tenant: 7).perform_async(44)")
        assert fleet.ledger.wait_for(jid)["args"] == [44]


class TestJobsOfPythonCode:
    """A Python program whose job has the name, and the queue, of a Ruby class."""

    @pytest.fixture
    def complete_order(self, fleet):
        default.install(fleet.config)

        @job(wire_name="Orders::CompleteJob", queue="ruby", retry=3, tags=["orders"])
        def complete_order(order_id: int) -> None: ...

        yield complete_order
        default.reset()

    def test_it_runs_in_ruby(self, fleet, complete_order):
        run = fleet.ledger.wait_for(complete_order.perform_async(42))
        assert (run["by"], run["class"], run["args"]) == ("ruby", "Orders::CompleteJob", [42])

    def test_it_runs_in_ruby_when_pushed_from_an_event_loop(self, fleet, complete_order):
        async def push():
            jid = await complete_order.perform_async.aio(43)
            await default.async_client().storage.close()
            return jid

        assert fleet.ledger.wait_for(asyncio.run(push()))["args"] == [43]

    def test_it_runs_in_ruby_later(self, fleet, complete_order):
        assert fleet.ledger.wait_for(complete_order.perform_in(0.2, 44))["args"] == [44]

    def test_many_run_in_ruby(self, fleet, complete_order):
        jids = complete_order.perform_bulk([[n] for n in range(30)])
        assert [fleet.ledger.wait_for(jid)["args"] for jid in jids] == [[n] for n in range(30)]


class TestBulk:
    def test_ruby_pushes_many_for_pillion(self, fleet):
        item = {"class": "Echo", "queue": "python", "args": [[n, "ö"] for n in range(200)]}
        jids = fleet.ruby("Sidekiq::Client.push_bulk(item)", item=item)
        assert [fleet.ledger.wait_for(jid)["args"] for jid in jids] == item["args"]

    def test_ruby_pushes_many_of_a_class_for_pillion(self, fleet):
        jids = fleet.ruby("Orders::CompleteJob.perform_bulk((1..20).map { |n| [n] })")
        assert [fleet.ledger.wait_for(jid)["args"] for jid in jids] == [[n] for n in range(1, 21)]

    def test_pillion_pushes_many_for_ruby(self, fleet):
        args = [[n, "ö"] for n in range(200)]
        jids = fleet.client.push_bulk({"class": "Echo", "queue": "ruby", "args": args})
        assert [fleet.ledger.wait_for(jid)["args"] for jid in jids] == args


class TestPushLater:
    """Only Pillion's worker has a scheduler here; the other way round: test_scheduling.py."""

    def test_at_a_time_by_ruby_for_pillion(self, fleet):
        jid = fleet.ruby.push("Echo", "later", queue="python", at=time.time() + 0.5)
        assert fleet.ledger.wait_for(jid)["by"] == "pillion"

    def test_in_some_seconds_by_ruby_for_pillion(self, fleet):
        run = fleet.ledger.wait_for(fleet.ruby("Orders::CompleteJob.perform_in(0.5, 45)"))
        assert (run["by"], run["args"]) == ("pillion", [45])

    def test_in_some_seconds_by_pillion_for_ruby(self, fleet):
        run = fleet.ledger.wait_for(fleet.client.enqueue_to_in("ruby", 0.5, "Echo", "later"))
        assert (run["by"], run["args"]) == ("ruby", ["later"])

    def test_scheduled_by_ruby_promoted_by_pillion_run_by_ruby(self, fleet):
        jid = fleet.ruby.push("Echo", 0.1, "ï", queue="ruby", at=time.time() + 0.5, **EXTRAS)
        assert fleet.ledger.wait_for(jid)["args"] == [0.1, "ï"]

    def test_many_at_times_of_their_own(self, fleet):
        now = time.time()
        item = {
            "class": "Echo",
            "queue": "python",
            "args": [[n] for n in range(10)],
            "at": [now + n / 20 for n in range(10)],
        }
        jids = fleet.ruby("Sidekiq::Client.push_bulk(item)", item=item)
        assert [fleet.ledger.wait_for(jid)["args"] for jid in jids] == item["args"]
