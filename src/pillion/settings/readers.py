"""How the value of an option is read, and checked.

A reader takes the value as it came (from TOML and YAML with a type, from a variable as text) and where
it came from, and returns what the Config wants. It raises ConfigError, which names that place.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from pillion.config import QueueLimit, QueueSpec, RedisConfig, merge_queues, validate_queue_name
from pillion.errors import ConfigError

Reader = Callable[[object, str], Any]


@dataclass(slots=True, frozen=True)
class CapsuleSpec:
    """A capsule as a file describes it; None means: not said."""

    queues: list[QueueSpec] | None
    concurrency: int | None


@dataclass(slots=True, frozen=True)
class WorkerGroup:
    """`count` worker processes that do the same: serve `queues` in this order; (): those of the Config."""

    count: int
    queues: tuple[str, ...] = ()


def whole(minimum: int) -> Reader:
    """A reader of whole numbers from `minimum` up, also from text."""

    def read(value: object, where: str) -> int:
        number = _number(value, int)
        if number is None or number < minimum or (isinstance(value, float) and not value.is_integer()):
            raise ConfigError(where, f"a whole number of {minimum} or more", value)
        return int(number)

    return read


def seconds(value: object, where: str) -> float:
    """A number of seconds above 0, also from text."""
    number = _number(value, float)
    if number is None or not 0 < number < math.inf:
        raise ConfigError(where, "a number of seconds above 0", value)
    return float(number)


def _number(value: object, kind: type[int | float]) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return kind(value)
    except (ValueError, OverflowError):
        return None


def text(value: object, where: str) -> str:
    """Text; a number is taken as its digits."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(where, "text", value)
    return str(value)


def words(value: object, where: str) -> tuple[str, ...]:
    """A list of words, or one text with the words separated by spaces or commas."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    items = _items(value)
    if items is None:
        raise ConfigError(where, "a list of words", value)
    return tuple(text(item, where) for item in items)


def modules(value: object, where: str) -> tuple[str, ...]:
    """A list of modules. The word "none" is the empty list: an empty variable counts as not set."""
    names = words(value, where)
    return () if names == ("none",) else names


def switch(value: object, where: str) -> bool:
    """True or false, also from the words people use for them in variables."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    answer = known.get(str(value).strip().lower())
    if answer is None:
        raise ConfigError(where, "true or false", value)
    return answer


def choice(*allowed: str) -> Reader:
    """A reader that accepts only these words, in any case."""

    def read(value: object, where: str) -> str:
        word = str(value).lower()
        if word not in allowed:
            raise ConfigError(where, f"one of {', '.join(allowed)}", value)
        return word

    return read


def queue_list(value: object, where: str) -> list[QueueSpec]:
    """Queues: a list of `name`, `name,weight` and [name, weight]; or one text with them, separated by spaces."""
    items = value.split() if isinstance(value, str) else _items(value)
    if not items:
        raise ConfigError(where, 'a list of queues such as ["high,3", "default"]', value)
    try:
        return merge_queues(items)
    except ConfigError as exc:
        raise ConfigError(where, exc.expected, exc.got, exc.hint) from None


def strict_mode(value: object, where: str) -> str | bool:
    """What to do about arguments that JSON cannot carry: "raise", "warn" or false."""
    if value in ("raise", "warn"):
        return str(value)
    if value in (False, "false", "none", "off"):
        return False
    raise ConfigError(where, '"raise", "warn" or false', value)


def transaction_guard(value: object, where: str) -> str | None:
    """What a push does inside of an open database transaction: "warn", "raise", "defer", or "off" for nothing."""
    word = choice("warn", "raise", "defer", "off")("off" if value is False else value, where)
    return None if word == "off" else str(word)


def mapping(value: object, where: str) -> dict[str, Any]:
    """A table of options."""
    if not isinstance(value, Mapping):
        raise ConfigError(where, "a table of options", value)
    return {str(key): item for key, item in cast("Mapping[object, Any]", value).items()}


def capsules(value: object, where: str) -> dict[str, CapsuleSpec]:
    """A table of capsule names, each with `queues` and `concurrency`."""
    made: dict[str, CapsuleSpec] = {}
    for name, inner in mapping(value, where).items():
        place = f"{where}, {name}"
        table = mapping(inner, place)
        refuse_unknown(table, ("queues", "concurrency"), place)
        queues, concurrency = table.get("queues"), table.get("concurrency")
        made[name] = CapsuleSpec(
            None if queues is None else queue_list(queues, place),
            None if concurrency is None else whole(1)(concurrency, place),
        )
    return made


_PER_QUEUE = 'Or a number for each queue: "critical=2 default=5", in a file {critical: 2, default: 5}.'


def worker_groups(value: object, where: str) -> tuple[WorkerGroup, ...]:
    """A number of worker processes; or one for each queue: a table, a list of "name=2", or one text with them.

    For `name` there may stand "a,b": workers that serve both, `a` first. (F056)
    """
    if isinstance(value, Mapping):
        pairs = list(mapping(cast("object", value), where).items())
    else:
        items = value.split() if isinstance(value, str) else _items(value) or [value]
        if len(items) == 1 and "=" not in str(items[0]):
            return (WorkerGroup(_worker_count(items[0], where)),)
        pairs = [_worker_pair(item, where) for item in items]
    groups = tuple(WorkerGroup(_worker_count(count, f"{where}, {name}"), _served(name, where)) for name, count in pairs)
    if not groups:
        raise ConfigError(where, "a whole number of 1 or more", "nothing", _PER_QUEUE)
    if len({group.queues for group in groups}) < len(groups):
        raise ConfigError(where, "each queue once", ", ".join(name for name, _ in pairs))
    return groups


def _worker_count(value: object, where: str) -> int:
    try:
        return cast("int", whole(1)(value, where))
    except ConfigError as exc:
        raise ConfigError(where, exc.expected, exc.got, _PER_QUEUE) from None


def _worker_pair(item: object, where: str) -> tuple[str, str]:
    name, equals, count = str(item).partition("=")
    if not equals:
        raise ConfigError(where, "either one number or NAME=NUMBER for each queue", item)
    return name, count


def _served(names: str, where: str) -> tuple[str, ...]:
    """The queues in a key "a" or "a,b"."""
    first, *others = (name.strip() for name in names.split(","))
    if any(name.isdigit() for name in others):
        raise ConfigError(where, "names of queues, without weights", names, 'More workers: "high" = 3.')
    return tuple(validate_queue_name(name, where) for name in dict.fromkeys((first, *others)))


def queue_limits(value: object, where: str) -> dict[str, QueueLimit]:
    """A table of queue names, each with the fields of QueueLimit (F026)."""
    return {name: _queue_limit(inner, f"{where}, {name}") for name, inner in mapping(value, where).items()}


def _queue_limit(value: object, where: str) -> QueueLimit:
    readers: dict[str, Reader] = {
        "max_size": whole(1),
        "max_latency_s": seconds,
        "on_full": choice("raise", "drop", "wait"),
        "wait_timeout_s": seconds,
    }
    table = mapping(value, where)
    refuse_unknown(table, readers, where)
    try:
        return QueueLimit(**{key: readers[key](item, f"{where}, {key}") for key, item in table.items()})
    except ConfigError as exc:
        raise ConfigError(exc.option if where in exc.option else where, exc.expected, exc.got, exc.hint) from None


def sentinels(value: object, where: str) -> tuple[str, ...]:
    """A list of "host:port" or of tables with `host` and `port`; or one text, separated by spaces or commas."""
    items = _items(value)
    if items is None:
        return words(value, where)
    return tuple(_sentinel(item, where) for item in items)


def _sentinel(value: object, where: str) -> str:
    if isinstance(value, Mapping):
        table = mapping(cast("object", value), where)
        return f"{table.get('host', '')}:{table.get('port', 26379)}"
    return text(value, where)


_REDIS_ALIASES = {
    "timeout": "timeout_s",
    "network_timeout": "timeout_s",
    "connect_timeout": "connect_timeout_s",
    "pool_timeout": "pool_timeout_s",
    "size": "pool_size",
    "name": "master_name",
    "ssl_params": "ssl",
}
_REDIS_READERS: Mapping[str, Reader] = {
    "pool_size": whole(1),
    "timeout_s": seconds,
    "connect_timeout_s": seconds,
    "pool_timeout_s": seconds,
    "db": whole(0),
    "ssl": mapping,
    "sentinels": sentinels,
}


def redis(value: object, where: str) -> RedisConfig:
    """Where Redis is: a URL, or a table of the fields of RedisConfig.

    A wrong value is named by its type only: it may be, or hold, a password.
    """
    if isinstance(value, str):
        return RedisConfig(url=value)
    if not isinstance(value, Mapping):
        raise ConfigError(where, "a URL or a table", type(value).__name__)
    table = {_REDIS_ALIASES.get(key, key): item for key, item in mapping(cast("object", value), where).items()}
    refuse_unknown(table, (*(field.name for field in fields(RedisConfig)), *_REDIS_ALIASES), where)
    return RedisConfig(**{key: _redis_field(key, item, f"{where}, {key}") for key, item in table.items()})


def _redis_field(key: str, value: object, where: str) -> Any:
    try:
        return _REDIS_READERS.get(key, text)(value, where)
    except ConfigError as exc:
        raise ConfigError(where, exc.expected, f"a {type(value).__name__} (not shown)") from None


def _items(value: object) -> list[object] | None:
    """The items of a list or tuple; None for anything else, text included."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(cast("Sequence[object]", value))
    return None


# -- names ---------------------------------------------------------------------------------------------


def refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise ConfigError for the first name of `given` that is not in `known`, with the nearest ones."""
    names = list(known)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(sorted(names))}."
            raise ConfigError(where, "only options that exist", name, hint)
