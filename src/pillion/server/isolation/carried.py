"""Errors carried from a child to the worker: the true class, message, attributes, causes and stack.

Retry rules, `retry_in`, middleware and error handlers look at classes and attributes, error trackers at stacks. So what
the worker raises is an error like the one in the child, as far as that can be had:

- An error that pickles comes as it was. One that does not (its `__init__` wants more than its `args`, or it holds
  a socket) is put together from its class, its `args` and those of its attributes that do pickle.
- A class that cannot be imported in the worker is stood in for by one of the same name, which is a ChildError.
- Its message is the one it had in the child, in any case.
- Stacks are built of frames that have only a place and a name; a traceback shows them with their source lines.

Pickles come from our own child only. It runs the same code with the same rights as the worker: this is no border.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pillion.errors import ChildError
from pillion.wire.failure import error_message

T = TypeVar("T")

MAX_CHAIN = 20
MAX_FRAMES = 200
MAX_PICKLE = 1 << 20  # bytes for one error: some hold the whole response that they are about


class StandIn(ChildError):
    """An error of the child whose class is not known in the worker; the class of the object has the true name."""


@dataclass(slots=True)
class Picture:
    """What is sent of one error. `cause` and `context` are positions in the list of all, -1: none."""

    module: str
    name: str
    message: str
    whole: bytes | None
    args: tuple[Any, ...]
    attributes: dict[str, bytes]
    frames: list[tuple[str, int, str]]
    suppress: bool
    cause: int = -1
    context: int = -1


@dataclass(slots=True)
class _Album:
    """The pictures of an error and of all behind it, each taken once, however they hang together."""

    pictures: list[Picture] = field(default_factory=list[Picture])
    places: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, exc: BaseException | None) -> int:
        if exc is None or (id(exc) not in self.places and len(self.pictures) >= MAX_CHAIN):
            return -1
        if id(exc) in self.places:
            return self.places[id(exc)]
        place = self.places[id(exc)] = len(self.pictures)
        picture = _picture(exc)
        self.pictures.append(picture)
        picture.cause, picture.context = self.add(exc.__cause__), self.add(exc.__context__)
        return place


def pack(exc: BaseException) -> bytes:
    """An error, what caused it and their stacks, as bytes."""
    album = _Album()
    album.add(exc)
    names = Picture.__slots__
    return pickle.dumps([tuple(getattr(picture, name) for name in names) for picture in album.pictures])


def unpack(packed: bytes) -> BaseException:
    """The error that `pack` was given, as far as it can be had here."""
    pictures = [Picture(*values) for values in pickle.loads(packed)]  # noqa: S301 - see above
    errors = [_developed(picture) for picture in pictures]
    for error, picture in zip(errors, pictures, strict=True):
        error.__cause__ = errors[picture.cause] if picture.cause >= 0 else None
        error.__context__ = errors[picture.context] if picture.context >= 0 else None
        error.__suppress_context__ = picture.suppress
    return errors[0]


# -- in the child ------------------------------------------------------------------------------------


def _picture(exc: BaseException) -> Picture:
    return Picture(
        module=str(type(exc).__module__),
        name=type(exc).__qualname__,
        message=error_message(exc),
        whole=_whole(exc),
        args=tuple(_sendable(arg) for arg in exc.args),
        attributes=_attributes(exc),
        frames=_frames(exc),
        suppress=exc.__suppress_context__,
    )


def _whole(exc: BaseException) -> bytes | None:
    """The pickle of the error if it makes the same error again."""
    pickled = _try(pickle.dumps, exc)
    if pickled is None or len(pickled) > MAX_PICKLE:
        return None
    again: object = _try(pickle.loads, pickled)
    if not isinstance(again, BaseException) or type(again) is not type(exc):
        return None
    return pickled if error_message(again) == error_message(exc) else None


def _sendable(value: object) -> object:
    """What stands for an argument of an error: the value if it is plain, else how it looks."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return error_message(ValueError(value if isinstance(value, str) else _try(repr, value)))


def _attributes(exc: BaseException) -> dict[str, bytes]:
    """The attributes that can be pickled, and read again."""
    found: dict[str, bytes] = {}
    room = MAX_PICKLE
    for name, value in list((_try(vars, exc) or {}).items()):
        pickled = _try(pickle.dumps, value)
        readable = pickled is not None and (value is None or _try(pickle.loads, pickled) is not None)
        if pickled is not None and readable and len(pickled) <= room:
            room -= len(pickled)
            found[name] = pickled
    return found


def _frames(exc: BaseException) -> list[tuple[str, int, str]]:
    """Where the error went through, outermost first; the middle of a very long way is left out."""
    walked = [(frame.f_code, line) for frame, line in traceback.walk_tb(exc.__traceback__)]
    if len(walked) > MAX_FRAMES:
        walked = walked[: MAX_FRAMES // 2] + walked[-MAX_FRAMES // 2 :]
    return [(code.co_filename, line, code.co_name) for code, line in walked]


def _try(function: Callable[[Any], T], value: object) -> T | None:
    """`function(value)`, or None: code of the application takes part in it, and may raise anything."""
    try:
        return function(value)
    except Exception:  # noqa: BLE001
        return None


# -- in the worker -----------------------------------------------------------------------------------


def _developed(picture: Picture) -> BaseException:
    error = _rebuilt(picture)
    if error_message(error) != picture.message:
        error = _with_message(error, picture)
    return error.with_traceback(_stack(picture.frames))


def _rebuilt(picture: Picture) -> BaseException:
    if picture.whole is not None:
        whole = _try(pickle.loads, picture.whole)
        if isinstance(whole, BaseException):
            return whole
    kind = _class_of(picture)
    error = _try(lambda args: kind.__new__(kind, *args), picture.args)
    if not isinstance(error, BaseException):
        kind = _stand_in(picture)
        error = kind(picture.message)
    for name, pickled in picture.attributes.items():
        error.__dict__[name] = _try(pickle.loads, pickled)
    return error


def _class_of(picture: Picture) -> type[BaseException]:
    """The class of that name, if it can be had by importing its module."""
    found: Any = sys.modules.get(picture.module) or _try(importlib.import_module, picture.module)
    for name in picture.name.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else _stand_in(picture)


def _stand_in(picture: Picture) -> type[BaseException]:
    return _named(picture, StandIn, {})


def _with_message(error: BaseException, picture: Picture) -> BaseException:
    """The same error, made one of a class below its own that says what it said in the child.

    Its own `__str__` may need what could not be sent. Where Python does not allow it (built-in classes, which do not
    need it), the error stays as it is.
    """

    def message(_: BaseException) -> str:
        return picture.message

    def become(kind: type[BaseException]) -> None:
        error.__class__ = _named(picture, kind, {"__str__": message})

    _try(become, type(error))
    return error


def _named(picture: Picture, base: type[BaseException], body: dict[str, Any]) -> type[BaseException]:
    short = picture.name.rpartition(".")[2]
    return type(short, (base,), {**body, "__module__": picture.module, "__qualname__": picture.name})


def _stack(frames: Sequence[tuple[str, int, str]]) -> types.TracebackType | None:
    """A traceback through these places, outermost first."""
    stack: types.TracebackType | None = None
    for filename, line, name in reversed(frames):
        # Of an instruction -1 nobody asks for columns, which these frames do not know.
        stack = types.TracebackType(stack, _frame(filename, name), -1, line)
    return stack


_FRAME = compile("import sys; frame = sys._getframe()", "<child>", "exec")


def _frame(filename: str, name: str) -> types.FrameType:
    """A frame that has nothing but the name of a function and of its file."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(_FRAME.replace(co_filename=filename, co_name=name, co_qualname=name), namespace)  # noqa: S102 - our own code
    frame: types.FrameType = namespace.pop("frame")
    return frame
