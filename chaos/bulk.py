"""`python -m chaos.bulk`: retries by hand everything in the retry set and what is doomed in the dead set."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pillion.api.filters import Filter
from pillion.api.fleet import Fleet
from pillion.api.sets import DeadSet, RetrySet
from pillion.config import Config, RedisConfig
from pillion.errors import PillionError


def next_generation(job: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
    """A retry by hand takes one off retry_count: without this, the books would see one attempt twice."""
    payload["generation"] = payload.get("generation", 0) + 1
    return next_()


def main() -> None:
    config = Config(redis=RedisConfig(url=os.environ["REDIS_URL"], timeout_s=3))
    config.client_middleware.add(next_generation)
    fleet = Fleet(config)
    try:
        print("retry", RetrySet(fleet=fleet).retry(Filter()).moved, flush=True)
        print("dead", DeadSet(fleet=fleet).retry(Filter(job_class="ChaosDoomed")).moved, flush=True)
    except PillionError as error:
        print(error)
    fleet.close()


if __name__ == "__main__":
    main()
