"""Attempt: an exchange that goes well at the first go, as nearly all do, without the bookkeeping of a Batch.

Follows the protocol of `exchange.Exchange`, and hands over to a Batch at the first error of any kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pillion.storage.exchange import Batch, Command, Explain
from pillion.storage.ops.base import Op


class Attempt:
    """Ops sent in one packet, without MULTI: each stands for itself. What a Batch does, in a third of the time."""

    __slots__ = ("_batch", "_ops", "_replies", "unsettled")

    def __init__(self, ops: Sequence[Op[Any]]) -> None:
        self._ops = ops
        self._batch: Batch | None = None
        self._replies: Sequence[Any] = ()
        self.unsettled = bool(ops)

    def commands(self) -> list[Command]:
        """What to send in the next round."""
        return [op.command for op in self._ops] if self._batch is None else self._batch.commands()

    def settle(self, replies: Sequence[Any]) -> bool:
        """Take the replies of a whole round. True: leave this connection."""
        if self._batch is None and _all_good(replies):
            self._replies = replies
            self.unsettled = False
            return False
        batch = self._handed_over()
        leave = batch.settle(replies)
        self.unsettled = batch.unsettled
        return leave

    def broke(self, replies: Sequence[Any], error: BaseException) -> None:
        """The connection failed after `replies`. Raises `error` unless there is another attempt."""
        batch = self._handed_over()
        batch.broke(replies, error)
        self.unsettled = batch.unsettled

    def results(self, explain: Explain) -> list[Any]:
        """The parsed results in the order of the ops. Raises the first error reply, explained."""
        if self._batch is not None:
            return self._batch.results(explain)
        return [op.parse(reply) for op, reply in zip(self._ops, self._replies, strict=True)]

    def _handed_over(self) -> Batch:
        if self._batch is None:
            self._batch = Batch(self._ops)
            self._batch.commands()  # they have been sent
        return self._batch


def _all_good(replies: Sequence[Any]) -> bool:
    for reply in replies:  # noqa: SIM110  # a generator takes four times as long for two
        if isinstance(reply, BaseException):
            return False
    return True
