"""What a type checker must accept. Run by test_types.py with mypy --strict and pyright strict; never executed."""

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import pillion
from pillion import Job, Worker, job


class ApplicationJob(Job, abstract=True, retry=5):
    def shop(self) -> str:
        return "berlin"


class CompleteOrder(ApplicationJob, queue="high", tags=["billing"], wire_name="Orders::Complete", unique_for=60):
    def perform(self, order_id: int, note: str = "") -> None:
        self.logger.info("%s %s", self.shop(), self.jid)


class SendReceipt(Worker):
    async def perform(self, order_id: int, *, dry: bool = False) -> int:
        return order_id


class Backoff(Job):
    @staticmethod
    def retry_in(count: int, exc: BaseException, payload: dict[str, Any]) -> float | str | None:
        return "kill" if isinstance(exc, KeyError) else 10.0 * count

    @staticmethod
    def on_retries_exhausted(payload: dict[str, Any], error: BaseException) -> None:
        print(payload["jid"], error)

    def perform(self) -> None: ...


class FetchPage(Job, timeout_s=timedelta(seconds=10)):
    async def perform(self, url: str) -> None: ...


FetchPage.set(timeout_s=2.5).perform_async("https://example.org")


@job(queue="crawl", timeout_s=10)
async def fetch_feed(url: str) -> None: ...


@job(queue="mailers", retry=3)
async def send_mail(address: str, times: int = 1) -> None: ...


@job
def resize(path: str) -> int:
    return len(path)


@send_mail.retry_in
def _wait(count: int, exc: BaseException, payload: dict[str, Any]) -> int:
    return count


@pillion.configure_server
def _server(config: pillion.Config) -> None:
    config.concurrency = 10


assert_type(CompleteOrder.perform_async(42), str | None)
CompleteOrder.perform_async(42, "soon")
CompleteOrder.perform_async(order_id=42, note="soon")
CompleteOrder.perform_in(300, 42)
CompleteOrder.perform_in(timedelta(minutes=5), 42, note="soon")
CompleteOrder.perform_at(datetime(2030, 1, 1, tzinfo=UTC), 42)
CompleteOrder.set(queue="low", retry=False, unique_for=5).perform_async(42)
CompleteOrder.set(wait=60).set(queue="low").perform_async(order_id=42)
assert_type(CompleteOrder.perform_inline(42), bool | None)
assert_type(CompleteOrder.perform_bulk([[1], [2, "x"]], batch_size=500), list[str | None])
CompleteOrder.bulk_perform_in(timedelta(minutes=1), ([n] for n in range(3)))
CompleteOrder.bulk_perform_in([60, 120], [[1], [2]])
CompleteOrder.perform_chunked(range(100), of=10)
CompleteOrder().perform(42)
CompleteOrder().perform_async(42)
SendReceipt.perform_async(1)
Backoff.perform_async()
send_mail.perform_async("ann@example.org", times=2)
send_mail.perform_in(5, "ann@example.org")
send_mail.set(queue="bulk").perform_bulk([["ann@example.org"]])
assert_type(resize("a.png"), int)
resize.perform_inline("a.png")


async def push() -> None:
    assert_type(await CompleteOrder.perform_async.aio(42), str | None)
    await CompleteOrder.perform_in.aio(timedelta(hours=1), 42)
    await SendReceipt.set(queue="low").perform_async.aio(order_id=42)
    await CompleteOrder.perform_bulk.aio([[1]], spread_interval=60)
    assert_type(await SendReceipt.perform_inline.aio(1), bool | None)
    await send_mail("ann@example.org")
    await send_mail.perform_async.aio("ann@example.org")


def stamp(job_class: Any, payload: dict[str, Any], queue: str, redis_pool: Any, next_: Any) -> Any:
    return next_()


def configure(config: pillion.Config) -> None:
    config.client_middleware.add(stamp)

    @config.server_middleware.add
    def timed(job: Any, payload: dict[str, Any], queue: str) -> Any:
        yield

    with pillion.redis() as connection:
        connection.ping()
