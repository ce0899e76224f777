"""Job options: check what a class, a decorator or `set` was given, and put it into its wire form.

Known options have a rule each (behaviour.md 2, wire-format 4). Any other key is the app's own: it
is copied into every payload, so it must be something JSON can carry unchanged. Unless it is a word that
another library has for an option: see `elsewhere`.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from pillion.config import validate_queue_name
from pillion.definition.elsewhere import instead_of
from pillion.definition.execution import PROCESS, THREAD, is_timeout
from pillion.errors import ConfigError
from pillion.wire.options import MAX_RETRY_FOR_S, TRANSIENT
from pillion.wire.strict import find_complex

# What the client decides for each push: as an option it would make all payloads alike.
_NOT_OPTIONS: Final = frozenset({"class", "args", "jid", "created_at", "enqueued_at"})
# To the names that Ruby has.
_LEVELS: Final = {
    "debug": "debug",
    "info": "info",
    "warn": "warn",
    "warning": "warn",
    "error": "error",
    "fatal": "fatal",
    "critical": "fatal",
}

# Slips too far off for difflib.
_OFTEN_MEANT: Final = {
    "retries": "retry",
    "max_attempts": "retry",
    "que": "queue",
    "tag": "tags",
    "timeout": "timeout_s",
    "hard_timeout": "hard_timeout_s",
}

_log = logging.getLogger("pillion")


def given(**options: Any) -> dict[str, Any]:
    """The options that were given: those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in wire form, in the order given. Raises ConfigError for the first that cannot be right."""
    return {name: _check(name, value) for name, value in options.items()}


def _check(name: str, value: Any) -> Any:
    rule = _RULES.get(name)
    if rule is None and name in TRANSIENT:
        return value
    if name in _NOT_OPTIONS:
        raise ConfigError(name, "to be left to the push", value, "It is not a job option.")
    return _extra(name, value) if rule is None else rule(name, value)


def _queue(name: str, value: Any) -> str:
    return validate_queue_name(value, name)


def _retry(name: str, value: Any) -> bool | int:
    if isinstance(value, int) and value >= 0:
        return value
    raise ConfigError(name, "True, False or a whole number of retries, 0 or more", value)


def _retry_for(name: str, value: Any) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_RETRY_FOR_S:
        raise ConfigError(name, "a timedelta, or seconds from the first failure up to 1e9", value)
    return int(seconds)


def _backtrace(name: str, value: Any) -> bool | int:
    if isinstance(value, int) and value >= 0:
        return value
    raise ConfigError(name, "True, False or a number of lines", value)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(name, "True or False", value)


def _indexes(name: str, value: Any) -> list[int]:
    """Positions of arguments that may be logged (F182), from 0."""
    indexes: list[Any] = list(cast("Sequence[Any]", value)) if type(value) in (list, tuple) else [None]
    if all(type(index) is int and index >= 0 for index in indexes):
        return indexes
    raise ConfigError(name, "positions of arguments, counted from 0, such as (1, 3)", value)


def _tags(name: str, value: Any) -> list[str]:
    tags: list[Any] = list(cast("Sequence[Any]", value)) if type(value) in (list, tuple) else [None]
    if all(type(tag) is str for tag in tags):
        return tags
    raise ConfigError(name, "a list of strings", value)


def _level(name: str, value: Any) -> str:
    level = logging.getLevelName(value) if isinstance(value, int) else value
    if isinstance(level, str) and level.lower() in _LEVELS:
        return _LEVELS[level.lower()]
    raise ConfigError(name, "a log level such as 'debug' or 'info'", value)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigError(name, "a text", value)


def _execution(name: str, value: Any) -> str:
    if value in (THREAD, PROCESS):
        return str(value)
    raise ConfigError(name, f'"{THREAD}" or "{PROCESS}"', value)


def _timeout(name: str, value: Any) -> int | float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not is_timeout(seconds):
        raise ConfigError(name, "a timedelta, or a number of seconds above 0", value)
    return seconds


def _class_attribute(name: str, value: Any) -> Any:
    """As an option it would go into each payload, and do nothing there."""
    raise ConfigError(name, "to stand in the body of a job class", value, f"Write `{name} = {value!r}` there.")


def _extra(name: str, value: Any) -> Any:
    instead = instead_of(name)
    if instead is not None:
        raise ConfigError(name, "an option of Pillion, or of your own", value, instead)
    meant = _OFTEN_MEANT.get(name) or next(iter(difflib.get_close_matches(name, _RULES, n=1, cutoff=0.85)), None)
    if meant is not None:
        # A warning only: an app may have an option of its own by that name.
        _log.warning("Job option %r is not one Pillion knows; it goes into each payload. Did you mean %r?", name, meant)
    offender = find_complex(value)
    if offender is None:
        return value
    raise ConfigError(name, "plain JSON, as it is copied into each payload", offender.value)


_RULES: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "queue": _queue,
    "retry": _retry,
    "retry_for": _retry_for,
    "retry_queue": _queue,
    "backtrace": _backtrace,
    "dead": _flag,
    "tags": _tags,
    "loggable_arguments": _indexes,
    "log_level": _level,
    "execution": _execution,
    "hard_timeout_s": _timeout,
    "timeout_s": _timeout,
    "profile": _text,
    "carries_context": _class_attribute,
    "transient_exceptions": _class_attribute,
    "display_class": _text,
    "transactional_push": _flag,
}
