"""JSON exactly as Ruby writes it, at msgspec's speed.

Design record. Dashboards and the data API of Ruby parse a stored job and dump it again to address
it, so a job must survive that without one byte changing (wire-format 0.1). msgspec writes the same
bytes as Ruby's json >= 2.15 with these exceptions, all found by experiment:

- floats of 1e15 and above or below 1e-5 in size are laid out differently;
- NaN and Infinity become `null`, where Ruby refuses;
- nesting is not limited to 100 levels;
- dates, sets, bytes, enums and more are silently turned into something else.

So `dumps` first looks at the types. Nearly every job holds only strings, integers, ordinary
floats, lists and maps, and goes straight to msgspec. Everything else takes the slow path: a copy
of the value in which each float is already text.

Reading is the reverse: msgspec first, and what it refuses is tried once more with the standard
library, for the sake of one thing that real writers produce: a `\\u` escape of half a surrogate pair
(JavaScript, after cutting a text inside an emoji), which is read as U+FFFD. Ruby's parser takes a few
more liberties that no writer uses (comments, unknown escapes, 1e999); such bytes are no job here, and
neither are NaN, Infinity, invalid UTF-8 and nesting deeper than 100. Integers longer than 4300 digits
are refused on both ways: that is where Python itself stops.

One known difference remains: Ruby prints about one in a thousand floats of 16 or 17 digits with one
digit more than the shortest form (its Grisu2 does not always find it). The shortest form is what the
specification asks for and what older Ruby versions print.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, Final, NoReturn, cast

import msgspec

from pillion.errors import DecodeError, InvalidJob
from pillion.wire.text import scrub, shown

MAX_DEPTH: Final = 100

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_kind_of = cast("Callable[[object], object]", type)  # so that checkers let values be looked at as they are
_SCALARS: Final[frozenset[object]] = frozenset({str, int, bool, NoneType})
_TEXT: Final[frozenset[object]] = frozenset({str})
_CONTAINERS: Final[frozenset[object]] = frozenset({list, dict})
# Between these, in size, msgspec and Ruby lay a float out alike.
_FLOAT_LOW: Final = 1e-5
_FLOAT_HIGH: Final = 1e15


# -- writing ---------------------------------------------------------------------------------------


def dumps(value: object) -> bytes:
    """Write `value` as Ruby-canonical JSON (wire-format 0.1): compact, raw UTF-8, keys in order.

    Tuples become lists, keys that are numbers, booleans or None become text, subclasses of the
    basic types are written as those, as the standard library does. Raises InvalidJob("args") for
    what JSON cannot carry: other objects, NaN and Infinity, lone surrogates, more than 100 levels.
    """
    try:
        plain = type(value) in _CONTAINERS and _is_plain(value, MAX_DEPTH)
        return _encode(value if plain else _portable(value, ()))
    except UnicodeEncodeError as error:
        raise _refuse((), f"text with half a surrogate pair ({shown(error.object)})") from None
    except ValueError as error:
        if isinstance(error, InvalidJob):
            raise
        raise _refuse((), f"a value that cannot be written ({error})") from None


def dumps_inside(value: str | list[Any]) -> bytes | None:
    """What `dumps` writes for a text or a list that is directly inside of a map; None if that needs its slow path."""
    kind = _kind_of(value)
    try:
        return _encode(value) if kind is str or (kind is list and _is_plain(value, MAX_DEPTH - 1)) else None
    except ValueError:  # half a surrogate pair, which `dumps` refuses in its own words
        return None


def _is_plain(container: Any, levels: int) -> bool:
    """Whether msgspec surely writes this list or map, at most `levels` deep, like Ruby. Runs for every push."""
    kind = _kind_of(container)
    if kind is dict:
        if not _TEXT.issuperset(map(type, container)):
            return False
        container = container.values()
    for value in container:
        kind = _kind_of(value)
        if kind in _SCALARS:
            continue
        if kind in _CONTAINERS:
            if levels == 1:
                return False
            if kind is list and _SCALARS.issuperset(map(type, value)):
                continue  # as most arguments are
            if not _is_plain(value, levels - 1):
                return False
        elif kind is not float or not (_FLOAT_LOW <= abs(value) < _FLOAT_HIGH or value == 0.0):
            return False
    return True


def _portable(value: object, path: tuple[object, ...]) -> object:
    """Copy `value` into types that msgspec writes like Ruby. Raises InvalidJob, naming the place."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return msgspec.Raw(format_float(_finite(value, path)).encode())
    if len(path) >= MAX_DEPTH:
        raise _refuse(path[:3], f"more than {MAX_DEPTH} levels of nesting, or a value that contains itself")
    if isinstance(value, list | tuple):
        return [_portable(item, (*path, index)) for index, item in enumerate(cast("list[object]", value))]
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {_key(key, path): _portable(item, (*path, key)) for key, item in items}
    raise _refuse(path, f"a {type(value).__qualname__} ({shown(value)})")


def _key(key: object, path: tuple[object, ...]) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return str(int(key))
    if isinstance(key, float):
        return format_float(_finite(key, path))
    raise _refuse(path, f"a map key of type {type(key).__qualname__} ({shown(key)})")


def _finite(value: float, path: tuple[object, ...]) -> float:
    if not math.isfinite(value):
        raise _refuse(path, f"{float(value)!r}, for which JSON has no form")
    return float(value)


def _refuse(path: tuple[object, ...], what: str) -> InvalidJob:
    place = "".join(f"[{shown(step)}]" for step in path) or "the value"
    return InvalidJob(
        "args",
        f"JSON carries only strings, numbers, booleans, None, lists and maps with string keys; {place} holds {what}.",
    )


def format_float(value: float) -> str:
    """Print a finite float as Ruby's json >= 2.15: shortest digits, `e+NN` from 1e15, `e-NN` below 1e-9.

    A float from 1e15 on that has a fraction keeps its plain form, as there.
    """
    mantissa, _, exponent_text = repr(value).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    point = len(whole) + int(exponent_text or 0)  # where the point stands in whole + fraction
    stripped = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(stripped)
    digits = stripped.rstrip("0")
    if not digits:
        return f"{sign}0.0"
    if len(digits) <= point <= 15:
        return f"{sign}{digits.ljust(point, '0')}.0"
    if len(digits) > point > -9:
        return f"{sign}0.{'0' * -point}{digits}" if point <= 0 else f"{sign}{digits[:point]}.{digits[point:]}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


# -- reading ---------------------------------------------------------------------------------------


def loads(raw: bytes) -> object:
    """Read any JSON text. Raises DecodeError for what is not JSON or nests deeper than 100 levels."""
    try:
        value: object = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = _decode_leniently(raw)
    # Measured only where it can be: 101 levels take 101 openings and as many ends.
    if len(raw) > 2 * MAX_DEPTH and raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return value


def loads_job(raw: bytes) -> dict[str, Any]:
    """Read a job payload: one JSON object, keys in order, integers of any size.

    Raises DecodeError for anything else, saying what came (wire-format 15): such bytes belong in
    the dead set, see `for_dead_set`.
    """
    job: Any = loads(raw)
    if _kind_of(job) is not dict:
        raise DecodeError(f"A job must be a JSON object; this is {_describe(job)}.")
    return job  # type: ignore[no-any-return]


def for_dead_set(raw: bytes) -> bytes:
    """What is kept in the dead set of bytes that are no job: they themselves, byte for byte.

    But JSON that is no object, such as 5 or [1], is kept as a JSON text of itself, "5" or "[1]": no version
    of Ruby's dashboard can show a dead set that has it otherwise (tried with 6.4.1).
    """
    try:
        value = loads(raw)
    except DecodeError:
        return raw
    return raw if isinstance(value, dict | str) else dumps(raw.decode())


def _decode_leniently(raw: bytes) -> object:
    try:
        value = json.loads(bytes(raw).decode("utf-8"), parse_constant=_no_constant, parse_float=_float_in_range)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError as error:
        raise DecodeError(f"Not UTF-8: {error.reason} at byte {error.start}.") from None
    except ValueError as error:
        raise DecodeError(f"Not JSON: {error}.") from None
    _check_depth(value)
    return _mend(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _float_in_range(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text:.40} is beyond a 64-bit float")
    return value


def _mend(value: object) -> object:
    """Replace lone surrogates, which no UTF-8 text can hold, wherever they are."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_mend(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {scrub(key): _mend(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def _check_depth(value: object) -> None:
    """Raise DecodeError if lists and maps are nested more than MAX_DEPTH deep."""
    level = _containers((value,))
    for _ in range(MAX_DEPTH):
        level = _containers(item for container in level for item in _children(container))
        if not level:
            return
    raise _too_deep()


def _containers(values: Iterable[object]) -> list[object]:
    return [value for value in values if isinstance(value, list | dict)]


def _children(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return cast("dict[str, object]", container).values()
    return cast("list[object]", container)


def _too_deep() -> DecodeError:
    return DecodeError(f"Nested more than {MAX_DEPTH} levels deep, which Ruby's parser refuses as well.")


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "a string"
