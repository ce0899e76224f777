"""Link: one process's own line to Redis for the hot path, without a pool.

Design record. The engine sends everything of one batch (acknowledgements, settlements, the next
fetch) in one packet and reads all replies: one round trip per batch. Two things can go wrong:

- The line breaks after Redis has acted, and the reply is lost. Every op sent here may therefore be
  sent twice without harm: acknowledging and settling do nothing the second time, and what a lost
  fetch took is found by `reconcile`.
- The line breaks *before* Redis has acted, with the command still in a socket buffer: a paused Redis
  would carry it out after we have reconciled on a new connection. So the next exchange first kills
  the old one by its client id; then its commands never run. A Redis that was restarted, or another
  one after a failover, counts its clients anew: there the id is that of somebody else, who must not
  be hurt. So an id goes together with the run id of the server that gave it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from pillion.storage.errors_map import ROLE_CHANGED, code_of
from pillion.storage.ops.base import Op, Script, command

# redis-py's Connection is untyped in the parts used here; this alias keeps the Any in one place.
RawConnection = Any

_RUN_ID = re.compile(rb"run_id:(\w+)")


@dataclass(slots=True, frozen=True)
class Client:
    """A connection as Redis knows it: its id, 0 for unknown, and the run id of the server, b"" for unknown."""

    id: int
    server: bytes


NOBODY = Client(0, b"")


def introduce(connection: RawConnection) -> Client:
    """Ask the server who a new connection is to it. What this user may not ask stays unknown."""
    _send(connection, [command("CLIENT", "ID"), command("INFO", "server")])
    client_id, info = _read(connection, 2)
    found = _RUN_ID.search(info) if isinstance(info, bytes) else None
    return Client(client_id if isinstance(client_id, int) else 0, found[1] if found else b"")


class Link:
    """A dedicated connection. `exchange` may be called from any thread; one exchange at a time.

    `connect` makes an unconnected redis-py Connection, `explain` turns a redis-py error into ours.
    `scripts` are loaded with each new connection, so that no op has to be sent twice.
    """

    def __init__(
        self,
        connect: Callable[[], RawConnection],
        explain: Callable[[BaseException], BaseException],
        scripts: Sequence[Script] = (),
    ) -> None:
        self._scripts = scripts
        self._connect = connect
        self._explain = explain
        self._connection: RawConnection = None
        self._client = NOBODY
        self._given_up: list[Client] = []
        self._lock = threading.Lock()

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send all `ops` in one packet; return their results in order.

        An op that Redis answers with an error has that error (a RedisError) as its result. Raises
        RedisUnavailable when the line broke: then each op may or may not have been carried out.
        """
        with self._lock, self._guarded():
            return self._exchange(ops)

    @contextmanager
    def _guarded(self) -> Generator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as exc:
            # Also an error reply while the line is set up, as from a Redis that is busy with a script.
            self._drop()
            raise self._explain(exc) from exc
        except BaseException:
            # Replies may be left unread on the line: it cannot be used again.
            self._drop()
            raise

    def ask(self, op: Op[Any]) -> Any:
        """Send one op and return its result. Raises RedisError, also for an error reply."""
        (result,) = self.exchange([op])
        if isinstance(result, BaseException):
            raise result
        return result

    def give_up(self, client: Client) -> None:
        """A connection was closed from here: the next exchange ends it on the server first. From any thread."""
        if client.id and client.server:
            self._given_up.append(client)

    def close(self) -> None:
        """Close the connection; a later exchange opens a new one."""
        with self._lock:
            if self._connection is not None:
                self._connection.disconnect()
                self._connection = None

    def _exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        connection = self._connection or self._open()
        given_up = list(self._given_up)
        # An answer of 0 or an error to a KILL means that the old connection is gone already, or that
        # this user may not kill: what it leaves behind is found later, by the audit and the next drain.
        kills = [command("CLIENT", "KILL", "ID", old.id) for old in given_up if old.server == self._client.server]
        _send(connection, [*kills, *ops])
        replies = _read(connection, len(kills) + len(ops))[len(kills) :]
        del self._given_up[: len(given_up)]
        unknown = [i for i, reply in enumerate(replies) if _code(reply) == "NOSCRIPT"]
        if unknown:
            # Somebody flushed the scripts. Only what was not carried out is sent again: a fetch that
            # was would lease other jobs under the same tokens.
            # All scripts are loaded: an op may not overtake one sent before it in a later exchange.
            again = [ops[i] for i in unknown]
            _load(connection, [*self._scripts, *(op.script for op in again if op.script is not None)])
            _send(connection, again)
            for i, reply in zip(unknown, _read(connection, len(again)), strict=True):
                replies[i] = reply
        if any(_code(reply) in ROLE_CHANGED for reply in replies):
            self._drop()  # the primary is elsewhere now: the next exchange looks for it
        return [self._result(op, reply) for op, reply in zip(ops, replies, strict=True)]

    def _result(self, op: Op[Any], reply: Any) -> Any:
        if isinstance(reply, redis.RedisError):
            return self._explain(reply)
        return op.parse(reply)

    def _open(self) -> RawConnection:
        connection = self._connect()
        connection.connect()
        self._connection = connection
        self._client = introduce(connection)
        _load(connection, self._scripts)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None
        self.give_up(self._client)
        self._client = NOBODY


def _load(connection: RawConnection, scripts: Iterable[Script]) -> None:
    loads = [command("SCRIPT", "LOAD", source) for source in {script.source for script in scripts}]
    _send(connection, loads)
    for reply in _read(connection, len(loads)):
        if isinstance(reply, redis.RedisError):
            raise reply


def _code(reply: Any) -> str:
    return code_of(reply) if isinstance(reply, Exception) else ""


def _send(connection: RawConnection, ops: Sequence[Op[Any]]) -> None:
    if ops:
        connection.send_packed_command(connection.pack_commands([op.command for op in ops]), check_health=False)


def _read(connection: RawConnection, count: int) -> list[Any]:
    """Read `count` replies; an error reply is returned in its place, not raised."""
    replies: list[Any] = []
    for _ in range(count):
        try:
            replies.append(connection.read_response())
        except redis.ResponseError as exc:
            replies.append(exc)
    return replies
