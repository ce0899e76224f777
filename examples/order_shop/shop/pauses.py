"""Random pauses around each job, so that the charts of the load drill have something to show."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any


class RandomPauses:
    """Server middleware: wait up to `most_s` seconds before each job."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s

    def __call__(self, job: Any, payload: dict[str, Any], queue: str) -> Iterator[None]:  # noqa: ARG002
        time.sleep(random.uniform(0, self._most_s))
        yield
