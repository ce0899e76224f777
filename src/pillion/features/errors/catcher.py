"""ErrorCatcher: between the errors of jobs and the service that collects errors.

Design record. Three rules, so that a notification means something:

- an error that passes by itself (RetryableError, and what is in `ignored_errors`) is not reported when it happens. It
  is ignored here and not in the client of the service, where the same error of a web request would be lost too;
- a job that dies is always reported, once: at its last failure or, if that was not reported, at its death;
- an error that is not of a job (a lost Redis, a hook that failed) is reported unless it is ignored.

It remembers nothing. Whether the last failure was reported is asked again at the death, with the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, cast

from pillion.config import Config
from pillion.errors import ConfigError, RetryableError
from pillion.wire.error_names import ErrorNames

# Called with the error and where it happened: "context" (words), and "job" (the payload) if it was in a job.
Send = Callable[[BaseException, dict[str, Any]], object]
ReportErrors = Literal["all", "final"] | Callable[[BaseException, dict[str, Any]], bool]

DEATH = "Job died"


class ErrorCatcher:
    """Calls `send(error, context)` for the errors that are to be reported.

    Parameters: `report_errors` is "all" (each failure of a job), "final" (only when a job dies) or a function
    of error and context that says whether to report a failure. `ignored_errors` are classes or names, in addition to
    RetryableError; a set, so more can be added before the worker starts. Raises ConfigError.
    """

    def __init__(
        self, send: Send, *, report_errors: ReportErrors = "all", ignored_errors: Iterable[type | str] = ()
    ) -> None:
        if report_errors not in ("all", "final") and not callable(report_errors):
            raise ConfigError("report_errors", '"all", "final" or a function (error, context)', report_errors)
        if isinstance(ignored_errors, str | type):
            raise ConfigError("ignored_errors", "a list of classes or names", ignored_errors)
        self.ignored_errors: set[type | str] = {RetryableError, *ignored_errors}
        self._names = ErrorNames(self._listed(), "ignored_errors")
        self._known = set(self.ignored_errors)
        self._send = send
        self._report_errors = report_errors

    def install(self, config: Config) -> None:
        """Hang it into `config`: an error handler and a death handler.

        Others stay, but the default one, which logs errors, is only used where there is no other.
        """
        config.error_handlers.append(self.on_error)
        config.death_handlers.append(self.on_death)

    def on_error(self, exc: BaseException, context: dict[str, Any], config: Config) -> None:
        """An error handler: report `exc` if it is to be reported when it happens."""
        del config
        if self._wants(exc, context):
            self._send(exc, context)

    def on_death(self, payload: dict[str, Any], exc: BaseException) -> None:
        """A death handler: report `exc` unless its failure has been."""
        if not self._wants(exc, {"context": "Job raised exception", "job": payload}):
            self._send(exc, {"context": DEATH, "job": payload})

    # -- inside ----------------------------------------------------------------------------------

    def _wants(self, exc: BaseException, context: dict[str, Any]) -> bool:
        if self._is_ignored(exc):
            return False
        if "job" not in context or self._report_errors == "all":
            return True
        if self._report_errors == "final":
            return False
        return bool(cast("Callable[..., bool]", self._report_errors)(exc, context))

    def _is_ignored(self, exc: BaseException) -> bool:
        if self._known != self.ignored_errors:
            self._names = ErrorNames(self._listed(), "ignored_errors")
            self._known = set(self.ignored_errors)
        return self._names.match(exc)

    def _listed(self) -> list[Any]:
        return list(self.ignored_errors)
