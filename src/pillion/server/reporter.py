"""Reporter: every error that nobody else handles goes through here, to the error handlers of the Config."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pillion.config import Config, DeathHandler, ErrorHandler
from pillion.log import with_context

log = logging.getLogger("pillion")


class Reporter:
    """Calls each error or death handler in order; one that fails is logged and the rest still run."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def report(self, exc: BaseException, context: Mapping[str, Any]) -> None:
        """Tell every error handler of `exc`. `context["context"]` says in words where it happened."""
        handlers: list[ErrorHandler] = self._config.error_handlers or [log_error]
        for handler in handlers:
            try:
                handler(exc, dict(context), self._config)
            except (Exception, SystemExit):
                log.exception("The error handler %r failed itself", handler)

    def died(self, payload: dict[str, Any], exc: BaseException) -> None:
        """Tell every death handler that this job will not be tried again."""
        handlers: list[DeathHandler] = self._config.death_handlers
        for handler in handlers:
            try:
                handler(payload, exc)
            except (Exception, SystemExit) as failure:  # noqa: BLE001 - user code: whatever it raises must not stop the others
                self.report(failure, {"context": "Error calling death handler", "job": payload})


def log_error(exc: BaseException, context: dict[str, Any], config: Config) -> None:
    """The default error handler: message and class, with the stack in development or at debug level."""
    job: dict[str, Any] = context.get("job") or {}
    facts = {"class": job.get("wrapped") or job.get("class"), "jid": job.get("jid")} if job else {}
    verbose = config.environment == "development" or log.isEnabledFor(logging.DEBUG)
    stack = (type(exc), exc, exc.__traceback__) if verbose else None
    with with_context(**facts):
        log.info("%s: %s: %s", context.get("context", "Error"), type(exc).__name__, exc, exc_info=stack)
