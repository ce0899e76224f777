"""Op: one Redis command or Lua script call as a value, run the same by the sync and the async storage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

Arg = bytes | str | int | float
T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class Script:
    """A Lua script of `storage/lua`, known to Redis by its SHA-1."""

    name: str
    source: str
    sha: str

    @classmethod
    def of(cls, name: str, source: str) -> Script:
        """Make a script from its text."""
        return cls(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@cache
def script(name: str) -> Script:
    """The script in `storage/lua/NAME.lua`. Its header says KEYS, ARGV and what it returns."""
    return Script.of(name, files("pillion.storage").joinpath("lua", f"{name}.lua").read_text())


@dataclass(slots=True, frozen=True)
class Op(Generic[T]):
    """What to send and how to read the answer.

    For a plain command `args` is the whole command. With a `script` it is what follows the SHA in
    EVALSHA: the number of keys, the keys, the arguments. `parse` turns the raw reply (bytes, ints,
    lists: replies are never decoded for you) into the result.
    """

    args: tuple[Arg, ...]
    parse: Callable[[Any], T]
    script: Script | None = None

    @property
    def command(self) -> tuple[Arg, ...]:
        """The command as it is sent."""
        return self.args if self.script is None else ("EVALSHA", self.script.sha, *self.args)


@dataclass(slots=True, frozen=True)
class Tolerant(Op[T]):
    """An op whose error is its result: of a round trip, one part may be refused without taking the others along.

    Make it with `tolerant`. A connection that breaks is an error all the same.
    """


def tolerant(op: Op[T]) -> Tolerant[Any]:
    """`op` that gives the RedisError it was answered with, instead of raising it."""
    return Tolerant(op.args, op.parse, op.script)


def raw(reply: Any) -> Any:
    """A parser that keeps the reply as it came."""
    return reply


def command(*args: Arg) -> Op[Any]:
    """A plain command whose reply is used as it comes."""
    return Op(args, raw)


def call(name: str, keys: Sequence[str], argv: Sequence[Arg], parse: Callable[[Any], T]) -> Op[T]:
    """A call of the script `name`."""
    return Op((len(keys), *keys, *argv), parse, script(name))
