"""SilenceTransientErrors: known, passing errors are retried without waking anybody (F040, F097, F100).

    config.server_middleware.add(SilenceTransientErrors(["requests.Timeout", "stripe.RateLimitError"]))

Such an error is wrapped in a RetryableError, which those who collect errors ignore (`ErrorCatcher` does). Nothing
else changes: the job is retried by its own rules, and dies by them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pillion.errors import RetryableError
from pillion.wire.error_names import ErrorList, ErrorNames


class SilenceTransientErrors:
    """Wrap the errors in `errors`, and those in the `transient_exceptions` of the job, in RetryableError.

    `errors` are classes or names; see `pillion.wire.error_names`. Raises ConfigError for anything else.
    """

    def __init__(self, errors: ErrorList = ()) -> None:
        self._everywhere = ErrorNames(errors, "SilenceTransientErrors")
        self._by_job: dict[Any, ErrorNames] = {}

    def __call__(self, job: Any, payload: dict[str, Any], queue: str) -> Generator[None]:  # noqa: ARG002
        """Run the job; an error that is on a list comes out wrapped, as its cause."""
        try:
            yield
        except RetryableError:
            raise
        except Exception as exc:
            if self._everywhere.match(exc) or self._of(job).match(exc):
                raise RetryableError(exc) from exc
            raise

    def _of(self, job: Any) -> ErrorNames:
        listed = tuple(getattr(job, "transient_exceptions", ()))
        found = self._by_job.get(listed)
        if found is None:
            found = self._by_job[listed] = ErrorNames(listed, "transient_exceptions")
        return found
