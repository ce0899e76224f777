"""The Python side of the shop: prices the orders that Ruby takes."""

import json
import os
from pathlib import Path
from typing import Any

from pillion import Job

FOLDER = Path(os.environ.get("SHOP_FOLDER", "."))
PRICES_CENTS = {"cup": 450, "teapot": 2900}


def note(file: str, **facts: Any) -> None:
    """What has happened, one line each: stands for the database of a real shop."""
    with (FOLDER / file).open("a") as ledger:
        ledger.write(json.dumps(facts) + "\n")


class SupplierAway(Exception):
    """The supplier of teapots does not answer at the first call."""


class Forecast(Job, wire_name="Pricing::ForecastJob", queue="python", retry=5):
    @staticmethod
    def retry_in(count: int, exc: BaseException, _payload: dict[str, Any]) -> float | None:
        return count + 1 if isinstance(exc, SupplierAway) else None  # seconds; some jitter is added

    def perform(self, order_id: int, item: str, quantity: int) -> None:
        if item == "teapot" and self.attempt == 0:
            raise SupplierAway(f"no price for {item}")
        price_cents = PRICES_CENTS[item] * quantity
        note("forecasts.jsonl", order=order_id, price_cents=price_cents, attempt=self.attempt)
        CompleteOrder.perform_async(order_id, price_cents)


class CompleteOrder(Job, wire_name="Orders::CompleteJob", queue="default", retry=5):
    """Lives in Ruby. Here are its name, its queue, and its parameters for the type checker."""

    def perform(self, order_id: int, price_cents: int) -> None:
        raise NotImplementedError("Ruby runs this: take the queue `default` away from this worker")


class SendReceipt(Job, wire_name="Orders::ReceiptJob", queue="python"):
    """The job that is moving: Ruby has one of the same name."""

    def perform(self, order_id: int) -> None:
        note("receipts.jsonl", order=order_id, by="python")
