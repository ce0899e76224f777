"""The testing kit, as a type checker must accept it. Run by test_types.py; never executed."""

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from pillion import Job, job, testing
from pillion.middleware import ServerChain


class CompleteOrder(Job, queue="high"):
    def perform(self, order_id: int) -> None: ...


@job
async def send_mail(address: str) -> None: ...


def test_it() -> None:
    with testing.fake() as queues:
        assert_type(queues, testing.FakeQueues)
        assert_type(queues["high"], list[dict[str, Any]])
        assert_type(CompleteOrder.jobs, list[dict[str, Any]])
        assert_type(CompleteOrder.drain(), int)
        assert_type(CompleteOrder.drain(retries=True, travel=True), int)
        assert_type(CompleteOrder.perform_one(), str)
        assert_type(CompleteOrder.clear(), int)
        assert_type(Job.drain_all(), int)
        assert_type(Job.clear_all(), int)
        assert_type(send_mail.jobs, list[dict[str, Any]])
        assert_type(send_mail.drain(), int)
        assert_type(send_mail.perform_one(), str)
        assert_type(testing.queues["high"], list[dict[str, Any]])
        assert_type(testing.queues(), testing.FakeQueues)
        assert_type(testing.server_middleware(), ServerChain)
        assert_type(testing.travel(hours=1), datetime)
        assert_type(testing.travel_to(datetime(2030, 1, 1, tzinfo=UTC)), datetime)
        assert_type(testing.travel_to_next(), datetime | None)
        testing.assert_enqueued(CompleteOrder, 42, queue="high", at=timedelta(minutes=5), times=1)
        testing.assert_not_enqueued("Ruby::Job")
    with testing.inline(everywhere=True), testing.disabled():
        CompleteOrder.perform_async(1)
    testing.perform_multiple(send_mail, ["ann@example.org"], times=5)
    report = testing.crash_at_every_line(CompleteOrder, [1], check=lambda: True, isolate="thread")
    assert_type(report.lines, list[int])


async def test_aio() -> None:
    assert_type(await CompleteOrder.drain.aio(), int)
    assert_type(await Job.drain_all.aio(retries=True), int)
    assert_type(await send_mail.perform_one.aio(), str)


class TestCompleteOrder(testing.IdempotentJob):
    job = CompleteOrder
    args = (1,)

    def check(self) -> bool:
        return True
