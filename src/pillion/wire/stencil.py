"""Stencil: the JSON of many payloads that differ in nothing but `args` and `jid`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pillion.wire.codec import dumps, dumps_inside


class Stencil:
    """Writes `{**payload, "args": args, "jid": jid}` again and again: what is the same is put into JSON once.

    `payload` has both keys already; their order is kept. The bytes are those of `codec.dumps`, whose errors
    come out too.
    """

    __slots__ = ("_args_first", "_between", "_end", "_payload", "_start")

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = payload
        parts: list[list[bytes]] = [[]]
        for key, value in payload.items():
            if key in ("args", "jid"):
                parts[-1].append(dumps({key: 0})[1:-2])  # with its colon
                parts.append([])
            else:
                parts[-1].append(dumps({key: value})[1:-1])
        start, between, end = (b",".join(part) for part in parts)
        self._start = b"{" + start
        self._between = b"," + between
        self._end = b"," + end + b"}" if end else b"}"
        names = list(payload)
        self._args_first = names.index("args") < names.index("jid")

    def fill(self, args: list[Any], jid: str) -> bytes:
        """The payload with these."""
        written, name = dumps_inside(args), dumps_inside(jid)
        if written is None or name is None:
            return dumps({**self._payload, "args": args, "jid": jid})
        if self._args_first:
            return b"".join((self._start, written, self._between, name, self._end))
        return b"".join((self._start, name, self._between, written, self._end))
