"""The testing kit, as a type checker must refuse it, on exactly the lines marked. Never executed."""

from pillion import Job, testing


class CompleteOrder(Job, queue="high"):
    def perform(self, order_id: int) -> None: ...


CompleteOrder.drain(1)  # E
CompleteOrder.drain(retry=True)  # E
CompleteOrder.perform_one(1)  # E
CompleteOrder.clear("high")  # E
CompleteOrder.jobs.drain()  # E
testing.assert_enqueued()  # E
testing.assert_enqueued(CompleteOrder, 1, times="once")  # E
testing.assert_enqueued(CompleteOrder, 1, at="soon")  # E
testing.travel(1)  # E
testing.travel(weeks=1)  # E
testing.fake("everywhere")  # E
testing.queues[1]  # E
testing.crash_at_every_line(CompleteOrder, [1])  # E
testing.crash_at_every_line(CompleteOrder, [1], check=True)  # E
testing.crash_at_every_line(CompleteOrder, [1], check=bool, isolate="container")  # E
testing.perform_multiple(CompleteOrder, 1)  # E
