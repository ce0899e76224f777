"""Pushes inside of a block wait for its transactions, and what becomes of them. The transactions are in memory here."""

import asyncio
import logging

import pytest
from own_home import NOW_MS, OwnHome, Recorder
from transaction_memory import Memory, inside, numbers, three_jobs

from pillion.client import Client
from pillion.config import QueueLimit
from pillion.errors import InvalidJob, QueueFull, RedisError, RedisUnavailable


@pytest.fixture
def here():
    return three_jobs()


class TestInsideOfABlock:
    def test_a_push_waits_for_the_commit_and_its_jid_is_known_before(self, here):
        transaction = Memory()
        with inside(transaction):
            jid = here.Plain.perform_async(1)
        assert (jid, here.sent.pushed) == ("j1", [])
        transaction.commit()
        assert [(payload["jid"], payload["args"]) for payload in here.sent.pushed] == [("j1", [1])]

    def test_after_a_rollback_nothing_is_pushed_and_the_log_says_what_was_not(self, here, caplog):
        transaction = Memory()
        with inside(transaction), caplog.at_level(logging.INFO, "pillion"):
            here.Plain.perform_async(1)
            transaction.rollback()
        assert here.sent.trips == []
        assert "not committed: " in caplog.text
        assert "Plain j1" in caplog.text

    def test_without_an_open_transaction_it_is_pushed_at_once(self, here):
        with inside(Memory(is_open=False)):
            here.Plain.perform_async(1)
        assert numbers(here.sent) == [1]

    def test_after_the_block_pushes_do_not_wait(self, here):
        with inside(Memory()):
            pass
        here.Plain.perform_async(1)
        assert numbers(here.sent) == [1]

    def test_a_job_that_says_false_is_pushed_at_once(self, here):
        with inside(Memory()):
            here.Never.perform_async(1)
            here.Plain.set(transactional_push=False).perform_async(2)
        assert numbers(here.sent) == [1, 2]

    def test_every_kind_of_push_waits(self, here):
        transaction = Memory()
        with inside(transaction):
            here.Plain.perform_async(1)
            here.Plain.set(queue="low").perform_async(2)
            here.Plain.perform_bulk([[3], [4]])
            here.Plain.perform_chunked([5, 6], of=1)
            here.client().push({"class": "Ruby::Job", "args": [7]})
            here.client().push_many([("Ruby::Job", [8]), (here.Plain, [9])])
            here.Plain.perform_in(60, 10)
            here.Plain.bulk_perform_in(60, [[11]])
            here.Plain.bulk_perform_async_with_contexts([12], arguments=lambda n: n, context=lambda n: {"user": "ann"})
        assert here.sent.trips == []
        transaction.commit()
        assert [payload["args"] for payload in here.sent.pushed if payload["queue"] == "low"] == [[2]]
        assert sorted(str(payload["args"][0]) for payload in here.sent.pushed) == sorted(
            ["1", "2", "3", "4", "[5]", "[6]", "7", "8", "9", "10", "11", "12"]
        )
        assert [score for score, _ in here.sent.scheduled] == [here.now_s + 60] * 2
        assert len(here.sent.trips) == 1

    def test_jids_of_a_bulk_push_are_known_before_the_commit(self, here):
        transaction = Memory()
        with inside(transaction):
            jids = here.Plain.perform_bulk([[1], [2]])
        transaction.commit()
        assert [payload["jid"] for payload in here.sent.pushed] == jids

    def test_the_time_of_the_enqueueing_is_that_of_the_commit(self, here):
        transaction = Memory()
        with inside(transaction):
            here.Plain.perform_async(1)
        here.now_s += 30
        transaction.commit()
        (payload,) = here.sent.pushed
        assert (payload["created_at"], payload["enqueued_at"]) == (NOW_MS, NOW_MS + 30_000)

    def test_the_option_is_not_in_the_payload(self, here):
        transaction = Memory()
        with inside(transaction):
            here.Waiting.perform_async(1)
        transaction.commit()
        here.Never.perform_async(2)
        assert [payload for payload in here.sent.pushed if "transactional_push" in payload] == []

    def test_jobs_of_two_clients_go_each_its_way(self, here):
        transaction, other = Memory(), OwnHome()
        with inside(transaction):
            here.Plain.perform_async(1)
            other.client().push({"class": "A", "args": [2]})
            here.Plain.perform_async(3)
        transaction.commit()
        assert (numbers(here.sent), numbers(other.sent)) == ([1, 3], [2])

    def test_jobs_of_two_storages_go_each_its_way(self, here):
        transaction, shard = Memory(), Recorder()
        with inside(transaction):
            here.Plain.perform_async(1)
            here.Plain.set(pool=shard).perform_async(2)
            with Client.via(shard):
                here.Plain.perform_async(3)
        transaction.commit()
        assert (numbers(here.sent), numbers(shard)) == ([1], [2, 3])

    def test_many_jobs_go_a_thousand_in_a_round_trip(self, here):
        transaction = Memory()
        with inside(transaction):
            here.Plain.perform_bulk([n] for n in range(2500))
        transaction.commit()
        sizes = [sum(isinstance(part, bytes) for command in trip for part in command) for trip in here.sent.trips]
        assert sizes == [1000, 1000, 500]

    def test_two_transactions_must_both_be_committed(self, here):
        first, second = Memory(), Memory()
        with inside(first, second, first):
            here.Plain.perform_async(1)
            first.commit()
            assert here.sent.pushed == []
            second.commit()
        assert numbers(here.sent) == [1]

    def test_of_two_transactions_one_is_rolled_back(self, here):
        first, second = Memory(), Memory()
        with inside(first, second):
            here.Plain.perform_async(1)
        first.rollback()
        second.commit()
        assert here.sent.pushed == []


class TestAnAsyncPush:
    def test_it_waits_for_a_commit_that_is_awaited(self, here):
        transaction = Memory()

        async def main():
            with inside(transaction):
                jid = await here.Plain.perform_async.aio(1)
                await here.Plain.perform_bulk.aio([[2], [3]])
                await here.async_client().push_many([("A", [4])])
            assert here.sent_async.pushed == []
            await transaction.commit_aio()
            return jid

        assert asyncio.run(main()) == "j1"
        assert numbers(here.sent_async) == [1, 2, 3, 4]

    def test_it_cannot_wait_for_a_commit_that_is_not(self, here):
        async def main():
            with inside(Memory("a session", is_async=False)):
                await here.Plain.perform_async.aio(1)

        with pytest.raises(InvalidJob, match=r"commit of a session, which is not\. Expected a push without \.aio"):
            asyncio.run(main())


class TestBeforeTheCommit:
    """What can go wrong with a job goes wrong at the push, where it stops the transaction."""

    def test_arguments_that_do_not_fit(self, here):
        transaction = Memory()
        with inside(transaction), pytest.raises(TypeError):
            here.Plain.perform_async(1, 2)
        assert transaction.held == []

    @pytest.mark.parametrize("strict", ["raise", False])
    def test_arguments_that_json_cannot_carry(self, here, strict):
        here.settings.strict_args = strict
        transaction = Memory()
        with inside(transaction), pytest.raises((InvalidJob, TypeError)):
            here.Plain.perform_bulk([[1], [object()]])
        assert transaction.held == []

    def test_client_middleware_runs_once_at_the_push_and_what_it_stops_is_not_pushed(self, here):
        seen = []

        @here.settings.client_middleware.add
        def odd_only(job_class, payload, queue, redis_pool, next_):
            seen.append(payload["args"])
            return next_() if payload["args"][0] % 2 else False

        transaction = Memory()
        with inside(transaction):
            assert here.Plain.perform_async(2) is None
            assert here.Plain.perform_bulk([[1], [4]]) == ["j2", None]
        assert seen == [[2], [1], [4]]
        transaction.commit()
        assert (seen, numbers(here.sent)) == ([[2], [1], [4]], [1])


class TestAfterTheCommit:
    def refuse(self, here, error):
        here.sent.run_all = lambda ops: (_ for _ in ()).throw(error)

    def test_an_error_comes_out_of_the_commit_and_the_log_names_the_jobs(self, here, caplog):
        self.refuse(here, RedisUnavailable("no answer"))
        transaction = Memory()
        with inside(transaction):
            here.Plain.perform_async(1)
            here.Plain.perform_async(2)
        with pytest.raises(RedisUnavailable, match="no answer") as raised:
            transaction.commit()
        assert "The transaction is committed" in raised.value.__notes__[0]
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith("Not pushed, though their transaction is committed (RedisUnavailable: no answer): ")
        name = here.Plain.__job__.wire_name
        assert line.endswith(f": {name} j1, {name} j2")

    def test_after_an_outage_the_other_clients_are_not_tried_but_named(self, here, caplog):
        self.refuse(here, RedisError("down"))
        transaction, other = Memory(), OwnHome()
        with inside(transaction):
            here.Plain.perform_async(1)
            other.client().push({"class": "Other", "args": [1], "jid": "x1"})
        with pytest.raises(RedisError):
            transaction.commit()
        assert "Other x1" in caplog.text
        assert other.sent.trips == []

    def test_a_queue_that_is_full_does_not_keep_the_others_back(self, here, caplog):
        here.settings.queue_limits = {"tiny": QueueLimit(max_size=1)}
        full = [[9, -1]]
        here.sent.run_all = lambda ops: [op.parse(full[0]) if op.script else pushed.append(op.command) for op in ops]
        pushed = []
        transaction = Memory()
        with inside(transaction):
            here.Plain.perform_async(1)
            here.Plain.set(queue="tiny").perform_async(2)
            here.Plain.perform_async(3)
        with pytest.raises(QueueFull):
            transaction.commit()
        assert len([command for command in pushed if command[0] == "LPUSH"]) == 2
        assert "Plain j2" in caplog.text
        assert "Plain j1" not in caplog.text

    def test_an_async_push_that_fails_is_reported_alike(self, here, caplog):
        transaction = Memory()

        async def refuse(ops):
            raise RedisError("down")

        here.sent_async.run_all = refuse

        async def main():
            with inside(transaction):
                await here.Plain.perform_async.aio(1)
            await transaction.commit_aio()

        with pytest.raises(RedisError):
            asyncio.run(main())
        assert "Plain j1" in caplog.text
