"""What a person is shown of a job: the class and the arguments inside a wrapper (wire-format 4.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACTIVE_JOB_WRAPPERS = frozenset({"Sidekiq::ActiveJob::Wrapper", "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"})
ENCRYPTED = "[encrypted data]"


def shown_class(item: Mapping[str, Any]) -> str:
    """The class label of a payload; "" if it has none."""
    for key in ("display_class", "wrapped", "class"):
        value = item.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def shown_args(item: Mapping[str, Any]) -> list[Any]:
    """The arguments of a payload for display."""
    args = item.get("args")
    return [*args] if isinstance(args, list) else []
