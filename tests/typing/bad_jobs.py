"""What a type checker must refuse, on exactly the lines marked. Run by test_types.py; never executed."""

from datetime import timedelta
from typing import Any

from pillion import Job, job


class CompleteOrder(Job, queue="high", retry=5):
    def perform(self, order_id: int, note: str = "") -> None: ...


class SendReceipt(Job):
    async def perform(self, order_id: int) -> None: ...


class ApplicationJob(Job, abstract=True): ...


@job(queue="mailers")
async def send_mail(address: str) -> None: ...


@job
def resize(path: str) -> int:
    return len(path)


CompleteOrder.perform_async("x")  # E
CompleteOrder.perform_async()  # E
CompleteOrder.perform_async(1, "note", "more")  # E
CompleteOrder.perform_async(1, nota="note")  # E
CompleteOrder.perform_async(order_id="1")  # E
CompleteOrder.perform_in(60, "x")  # E
CompleteOrder.perform_in("soon", 1)  # E
CompleteOrder.perform_at(timedelta(minutes=1))  # E
CompleteOrder.perform_inline("x")  # E
CompleteOrder.set(queue="low").perform_async("x")  # E
CompleteOrder.set(queue="low").set(retry=1).perform_in(60)  # E
CompleteOrder.set(queue=5)  # E
CompleteOrder.set(retry="often")  # E
CompleteOrder.perform_bulk(5)  # E
CompleteOrder.perform_bulk([1, 2])  # E
CompleteOrder.perform_chunked([1, 2])  # E
CompleteOrder().perform_async("x")  # E
SendReceipt.perform_async("x")  # E
SendReceipt.set(queue="low").perform_async("x")  # E
ApplicationJob.perform_async(1)  # E
send_mail.perform_async(1)  # E
send_mail.perform_async()  # E
send_mail.set(queue="low").perform_in(60, 1)  # E
resize.perform_async(b"x")  # E
resize(1)  # E


class WrongOption(Job, retry="five"):  # E
    def perform(self) -> None: ...


class WrongTimeout(Job, timeout_s="5"):  # E
    async def perform(self) -> None: ...


SendReceipt.set(timeout_s="5")  # E


class WrongHook(Job):
    @staticmethod
    def retry_in(count: str, exc: BaseException, payload: dict[str, Any]) -> float:  # E
        return 1.0

    def perform(self) -> None: ...


@job(queue=5)  # E
def wrong_queue() -> None: ...


async def push() -> None:
    await CompleteOrder.perform_async.aio("x")  # E
    await SendReceipt.perform_in.aio(60, "x")  # E
    await CompleteOrder.set(queue="low").perform_async.aio("x")  # E
    await send_mail.perform_async.aio(5)  # E
