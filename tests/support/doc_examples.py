"""Runs the Python blocks of a page of the docs on a real Redis, and notes which calls of the data API they made.

MONITOR tells what Redis saw. An ECHO before and after each call, on a connection of its own, says which
commands belong to it: Redis carries everything out in one order, so there is nothing to time.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import redis

from pillion.api import call as calls
from pillion.api.call import Cost

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What a connection says when it opens, and how a script gets to a server that does not know it.
GREETINGS = {"CLIENT", "SELECT", "AUTH", "HELLO", "SCRIPT"}


def run_page(page: Path, monkeypatch: Any) -> dict[str, Any]:
    """Run all blocks of a page as one module and return its names."""
    text = page.read_text()
    module = ModuleType("page_" + page.stem.replace("-", "_"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in BLOCK.finditer(text):
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block.group(1), str(page), "exec"), module.__dict__)
    return module.__dict__


class Seen:
    """One call of the data API, by name: what it promised to send, what Redis saw, and how it was called."""

    def __init__(self, cost: Cost) -> None:
        self.cost = cost
        self.commands: set[str] = set()
        self.ways: set[str] = set()


class Watcher:
    """Notes the calls made between `start` and `stop`."""

    def __init__(self, server: redis.Redis, monkeypatch: Any) -> None:
        self._marks = server
        self._monitor = server.monitor()
        self._costs: dict[str, Cost] = {}
        self._ways: defaultdict[str, set[str]] = defaultdict(set)
        self._patch(monkeypatch)
        self._listening = self._monitor.__enter__()

    def stop(self) -> dict[str, Seen]:
        """What was seen, by the call's qualified name."""
        self._marks.echo("mark:end:all")
        seen = {name: Seen(cost) for name, cost in self._costs.items()}
        for name, seen_call in seen.items():
            seen_call.ways = self._ways[name]
        for name, command in self._attributed():
            seen[name].commands.add(command)
        self._monitor.__exit__(None, None, None)
        return seen

    def _attributed(self) -> Iterator[tuple[str, str]]:
        open_calls: list[str] = []
        for entry in self._listening.listen():
            words = entry["command"].split(" ", 1)
            command, rest = words[0].upper(), words[-1]
            if command == "ECHO" and "mark:" in rest:
                _, what, name = rest.strip().strip('"').split(":", 2)
                if name == "all":
                    return
                if what == "begin":
                    open_calls.append(name)
                else:
                    open_calls.remove(name)
            elif open_calls and command not in GREETINGS:
                yield open_calls[-1], "EVALSHA" if command == "EVAL" else command

    # -- inside ------------------------------------------------------------------------------------

    def _patch(self, monkeypatch: Any) -> None:
        for kind in (calls.BoundCall, calls.BoundOwnerCall):
            monkeypatch.setattr(kind, "__call__", self._around(kind.__call__))
            monkeypatch.setattr(kind, "aio", self._around_aio(kind.aio))
        monkeypatch.setattr(calls.BoundStream, "__call__", self._around_stream(calls.BoundStream.__call__))
        monkeypatch.setattr(calls.BoundStream, "aio", self._around_stream_aio(calls.BoundStream.aio))

    def _note(self, bound: Any, way: str) -> str:
        described = bound._described
        self._costs[described.__qualname__] = described.cost
        self._ways[described.__qualname__].add(way)
        return str(described.__qualname__)

    def _around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def around(bound: Any, *args: Any, **kwargs: Any) -> Any:
            name = self._note(bound, "sync")
            self._marks.echo(f"mark:begin:{name}")
            try:
                return original(bound, *args, **kwargs)
            finally:
                self._marks.echo(f"mark:end:{name}")

        return around

    def _around_aio(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def around(bound: Any, *args: Any, **kwargs: Any) -> Any:
            name = self._note(bound, "aio")
            self._marks.echo(f"mark:begin:{name}")
            try:
                return await original(bound, *args, **kwargs)
            finally:
                self._marks.echo(f"mark:end:{name}")

        return around

    def _around_stream(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def around(bound: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            name = self._note(bound, "sync")
            items = original(bound, *args, **kwargs)
            while True:
                self._marks.echo(f"mark:begin:{name}")
                try:
                    item = next(items, self)
                finally:
                    self._marks.echo(f"mark:end:{name}")
                if item is self:
                    return
                yield item

        return around

    def _around_stream_aio(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def around(bound: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            name = self._note(bound, "aio")
            items = original(bound, *args, **kwargs)
            while True:
                self._marks.echo(f"mark:begin:{name}")
                try:
                    item = await anext(items, self)
                finally:
                    self._marks.echo(f"mark:end:{name}")
                if item is self:
                    return
                yield item

        return around
