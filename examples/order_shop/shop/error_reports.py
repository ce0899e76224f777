"""What the error catcher is told, and what the log says."""

from __future__ import annotations

import logging
from typing import Any

from shop import services

log = logging.getLogger(__name__)


def tell(error: BaseException, context: dict[str, Any]) -> None:
    """Tell of an error that Pillion reports: the failure of a job, its death, or something else."""
    log.error("%s: %s: %s", context["context"], type(error).__name__, error)
    job = context.get("job")
    if job and context["context"] == "Job died":
        services.error_catcher().notify(death_of(job, error))
    else:
        services.error_catcher().notify(error)


def death_of(job: dict[str, Any], error: BaseException) -> str:
    """What to say of a job that will not be tried again."""
    return f"{job['class']} {job['args']} has died: {error}"
