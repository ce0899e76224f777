"""How long a customer waits for the pages of an order while the payments service is slow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from shop.behaviours import Behaviour, behaviour_of, set_behaviour
from shop.visitor import Visitor

PRODUCT = "Flux Capacitor"
PAYMENTS = "payments"


@dataclass(frozen=True, slots=True)
class Times:
    """Half of all were not slower than `p50_ms`, 99 of 100 not slower than `p99_ms`, none slower than `max_ms`."""

    p50_ms: float
    p99_ms: float
    max_ms: float


def times_of(taken_ms: Sequence[float]) -> Times:
    """Sum up what was taken, one time or more. A percentile is one of the times, the next higher one."""
    ordered = sorted(taken_ms)
    return Times(_nearest(ordered, 0.5), _nearest(ordered, 0.99), ordered[-1])


def measure(visitor: Visitor, count: int, sleep_s: float) -> dict[str, Times]:
    """Place `count` orders one after the other, with payments that sleep so long before they answer.

    Returns the times of the two requests of each: the form that is sent, and the page of the order that comes then.
    Afterwards payments behave as before. Raises Refused, httpx.TransportError.
    """
    with slow_payments(sleep_s):
        pages = [visitor.place_order(PRODUCT, 1, "pat@example.com", "1 Main Street") for _ in range(count)]
    return {
        "the form is sent": times_of([_ms(page.history[0]) for page in pages]),
        "the order's page": times_of([_ms(page) for page in pages]),
    }


@contextmanager
def slow_payments(sleep_s: float) -> Iterator[None]:
    """Payments sleep before each answer, until the block ends."""
    before = behaviour_of(PAYMENTS)
    set_behaviour(PAYMENTS, Behaviour(sleep_s=sleep_s))
    try:
        yield
    finally:
        set_behaviour(PAYMENTS, before)


def _nearest(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]


def _ms(answer: httpx.Response) -> float:
    return answer.elapsed.total_seconds() * 1000
