"""RetryJobs: the retry limit in the form that Sidekiq 4 and older code has (F088).

    config.server_middleware.add(RetryJobs, max_retries=3)      the same as  config.max_retries = 3

Retries are no middleware any more. So this is only a note in the chain, which Config reads and takes out
when it is frozen: a worker's jobs never come through it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pillion.errors import ConfigError
from pillion.middleware.chain import Chain


class RetryJobs:
    """How often jobs that do not say are retried. None leaves it as it is."""

    def __init__(self, max_retries: int | None = None) -> None:
        self.max_retries = max_retries

    def __call__(self, job: Any, payload: dict[str, Any], queue: str) -> Generator[None]:  # noqa: ARG002
        """Do nothing: where no worker is, as in `perform_inline`, nothing is retried."""
        yield


def take_retry_limit(chain: Chain) -> int | None:
    """Take RetryJobs out of `chain` and return its `max_retries`; None if there is none. Raises ConfigError."""
    entries = [entry for entry in chain if entry.factory is RetryJobs]
    if not entries:
        return None
    try:
        limit = RetryJobs(*entries[0].args, **entries[0].kwargs).max_retries
    except TypeError as error:
        raise ConfigError("RetryJobs", "max_retries and nothing else", str(error)) from None
    chain.remove(RetryJobs)
    return limit
