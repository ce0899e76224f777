"""What a Redis server says of itself, as ops: INFO, settings, its clock, some of its keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pillion.storage.ops.base import Op, call, command


def info() -> Op[dict[str, str]]:
    """INFO, all of its usual sections, as name to value."""
    return Op(("INFO",), parse_info)


def who() -> Op[dict[str, str]]:
    """The section `server` of INFO: name and version above all."""
    return Op(("INFO", "server"), parse_info)


def parse_info(reply: bytes) -> dict[str, str]:
    """Read the reply of INFO: lines `name:value`, with `# Section` lines between them."""
    lines = reply.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def setting(name: str) -> Op[str | None]:
    """The value of a setting; None if this server has none of that name. Managed servers refuse the command."""
    return Op(("CONFIG", "GET", name), _setting)


def _setting(reply: Any) -> str | None:
    # RESP3 answers {name: value}, RESP2 [name, value].
    values = list(reply.values()) if isinstance(reply, dict) else list(reply)[1:]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType, reportUnknownMemberType]
    return cast("bytes", values[0]).decode("utf-8", "replace") if values else None


def ping() -> Op[Any]:
    """The shortest command there is: its duration is the round-trip time."""
    return command("PING")


def clock() -> Op[float]:
    """The server's clock in epoch seconds."""
    return Op(("TIME",), _seconds)


def _seconds(reply: Any) -> float:
    return int(reply[0]) + int(reply[1]) / 1_000_000


def sample_keys(cursor: int, count: int) -> Op[tuple[int, list[str]]]:
    """About `count` keys, and where to go on. Ends when the cursor is 0 again."""
    return Op(("SCAN", cursor, "COUNT", count), _keys)


def _keys(reply: Any) -> tuple[int, list[str]]:
    names = cast("Iterable[bytes]", reply[1])
    return int(reply[0]), [name.decode("utf-8", "replace") for name in names]


def run_a_script() -> Op[int]:
    """Run a script that does nothing. Refused where the user may not run any."""
    return call("probe", (), (), int)
