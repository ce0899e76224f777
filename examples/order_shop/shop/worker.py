"""What a worker of the shop loads: `pillion run shop.worker`."""

from __future__ import annotations

import logging

import httpx
import pillion
from pillion.features.errors import ErrorCatcher
from pillion.middleware import SilenceTransientErrors

from shop import jobs  # noqa: F401 - the jobs that it runs
from shop.error_reports import tell
from shop.pauses import RandomPauses
from shop.services import ServerError, TooManyRequests
from shop.settings import settings

# They pass by themselves. A 422 does not: the same call would be refused again.
TRANSIENT = (ServerError, TooManyRequests, httpx.TransportError)


@pillion.configure_server
def set_up(config: pillion.Config) -> None:
    """Errors that pass are retried without a word; other errors, and every death, are told."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it has a line for each call
    config.server_middleware.add(SilenceTransientErrors(TRANSIENT))
    ErrorCatcher(tell).install(config)
    if settings().pauses_s:
        config.server_middleware.add(RandomPauses(settings().pauses_s))
