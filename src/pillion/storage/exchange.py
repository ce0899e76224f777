"""What to send, what to send again, and what came of it: the part that needs no socket.

Design record. `Storage` and `AsyncStorage` differ only in how they send and read. What is the same
lives here, as state machines with one protocol:

    while exchange.unsettled:
        send exchange.commands() in one packet, read as many replies (an error reply is a value)
        exchange.settle(replies)          -> True: give up this connection
        or exchange.broke(replies, error)    when the connection failed; raises if that was the end
    exchange.results(explain)

Rules (wire-format 0, behaviour 1.7):
- An op answered NOSCRIPT is sent again with its script loaded in front; the others are not.
- An op answered READONLY, NOREPLICAS or UNBLOCKED is sent once more, on a fresh connection.
- When the connection breaks, what had no reply yet is sent once more. Redis may have carried it out
  and only the reply was lost, so a push may, rarely, be there twice, as with Sidekiq.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pillion.storage.errors_map import ROLE_CHANGED, code_of, may_try_again
from pillion.storage.ops.base import Arg, Op, Tolerant

Command = tuple[Arg, ...]
Explain = Callable[[BaseException], BaseException]

_LOAD = -1  # stands for a SCRIPT LOAD among the indices of ops


class Exchange(Protocol):
    """What the runners need; see the design record above."""

    @property
    def unsettled(self) -> bool:
        """Whether something has to be sent."""
        ...

    def commands(self) -> list[Command]:
        """What to send in the next round."""
        ...

    def settle(self, replies: Sequence[Any]) -> bool:
        """Take the replies of a whole round. True: leave this connection."""
        ...

    def broke(self, replies: Sequence[Any], error: BaseException) -> None:
        """The connection failed after `replies`. Raises `error` unless there is another attempt."""
        ...

    def results(self, explain: Explain) -> list[Any]:
        """The parsed results in the order of the ops. Raises the first error reply, explained."""
        ...


class Batch:
    """Ops sent in one packet, without MULTI: each stands for itself."""

    def __init__(self, ops: Sequence[Op[Any]]) -> None:
        self._ops = ops
        self._replies: list[Any] = [None] * len(ops)
        self._open = list(range(len(ops)))
        self._sent: list[int] = []
        self._unknown: set[str] = set()  # scripts that the server did not have
        self._reconnected = False

    @property
    def unsettled(self) -> bool:
        """Whether something has to be sent."""
        return bool(self._open)

    def commands(self) -> list[Command]:
        """What to send in the next round."""
        loads = self._loads() if self._unknown else []
        self._sent = [_LOAD] * len(loads) + self._open
        return loads + [self._ops[index].command for index in self._open]

    def settle(self, replies: Sequence[Any]) -> bool:
        """Take the replies of a whole round. True: the server changed its role, leave this connection."""
        again: list[int] = []
        unknown: set[str] = set()
        role_changed = False
        for index, reply in zip(self._sent, replies, strict=True):
            if index == _LOAD:
                continue
            code = code_of(reply) if isinstance(reply, BaseException) else ""
            script = self._ops[index].script
            if code == "NOSCRIPT" and script is not None and script.sha not in self._unknown:
                unknown.add(script.sha)
                again.append(index)
            elif code in ROLE_CHANGED and not self._reconnected:
                role_changed = True
                again.append(index)
            else:
                self._replies[index] = reply
        self._open = again
        self._unknown |= unknown
        self._reconnected = self._reconnected or role_changed
        return role_changed

    def broke(self, replies: Sequence[Any], error: BaseException) -> None:
        """The connection failed after `replies`. Raises `error` unless the rest may be sent once more."""
        if self._reconnected or not may_try_again(error):
            raise error
        unanswered = self._sent[len(replies) :]
        self._sent = self._sent[: len(replies)]
        self.settle(replies)
        self._open = sorted({*self._open, *(index for index in unanswered if index != _LOAD)})
        self._reconnected = True

    def results(self, explain: Explain) -> list[Any]:
        """The parsed results in the order of the ops. Raises the first error reply, explained."""
        return [_result(op, reply, explain) for op, reply in zip(self._ops, self._replies, strict=True)]

    def _loads(self) -> list[Command]:
        scripts = (self._ops[index].script for index in self._open)
        sources = {script.sha: script.source for script in scripts if script is not None}
        return [("SCRIPT", "LOAD", source) for sha, source in sources.items() if sha in self._unknown]


def _result(op: Op[Any], reply: Any, explain: Explain) -> Any:
    if isinstance(reply, BaseException):
        if isinstance(op, Tolerant):
            return explain(reply)
        raise explain(reply) from reply
    return op.parse(reply)


class Transaction:
    """Ops between MULTI and EXEC: all are carried out, or none.

    Scripts go in full (EVAL): a NOSCRIPT inside EXEC would come after the others were carried out.
    """

    def __init__(self, ops: Sequence[Op[Any]]) -> None:
        self._ops = ops
        self._reply: Any = None
        self._reconnected = False
        self.unsettled = bool(ops)

    def commands(self) -> list[Command]:
        """MULTI, the commands, EXEC."""
        return [("MULTI",), *(_in_full(op) for op in self._ops), ("EXEC",)]

    def settle(self, replies: Sequence[Any]) -> bool:
        """Take the replies. True: the server changed its role, leave this connection."""
        refusals = [reply for reply in replies if isinstance(reply, BaseException)]
        role_changed = bool(refusals) and code_of(refusals[0]) in ROLE_CHANGED and not self._reconnected
        # The first refusal is the reason; EXEC's own error only says that there was one.
        self._reply = refusals[0] if refusals else replies[-1]
        self.unsettled = role_changed
        self._reconnected = self._reconnected or role_changed
        return role_changed

    def broke(self, replies: Sequence[Any], error: BaseException) -> None:  # noqa: ARG002  # all or nothing
        """The connection failed. Raises `error` unless the transaction may be sent once more."""
        if self._reconnected or not may_try_again(error):
            raise error
        self._reconnected = True

    def results(self, explain: Explain) -> list[Any]:
        """The parsed results in the order of the ops. Raises the first error reply, explained."""
        if isinstance(self._reply, BaseException):
            raise explain(self._reply) from self._reply
        return [_result(op, reply, explain) for op, reply in zip(self._ops, self._reply or [], strict=True)]


def _in_full(op: Op[Any]) -> Command:
    return op.args if op.script is None else ("EVAL", op.script.source, *op.args)
