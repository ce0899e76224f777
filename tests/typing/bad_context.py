"""What a type checker must refuse of context and helpers, on exactly the lines marked. Run by test_types.py."""

import pillion
from pillion import CircuitBreaker, CurrentAttributes, Job, with_retry
from pillion.features.errors import ErrorCatcher


class Current(CurrentAttributes):
    user_id: int | None = None


class Pay(Job):
    def perform(self, order_id: int) -> None: ...


@with_retry(on=OSError)
def charge(order_id: int) -> str:
    return str(order_id)


Current.user_id = "7"  # E
Current.user = 7  # E
pillion.context(project=object())  # E
pillion.context("shop")  # E
pillion.persist(7)  # E
pillion.lock(7)  # E
pillion.lock("a", timeout_s="300")  # E
pillion.once("a", ttl_s=None)  # E
CircuitBreaker("a", when_open="return")  # E
CircuitBreaker("a", on=7)  # E
with_retry(times=3)  # E
charge("1")  # E
number: int = charge(1)  # E
Pay.bulk_perform_async_with_contexts([1], arguments=lambda n: [n])  # E
Pay.bulk_perform_async_with_contexts([1], arguments=lambda n: [n], context=lambda n: {"project": object()})  # E
ErrorCatcher(print, report_errors="last")  # E
Pay().with_context(project=[1])  # E
