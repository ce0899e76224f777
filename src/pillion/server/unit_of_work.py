"""UnitOfWork: one job in flight in this process."""

from __future__ import annotations


class UnitOfWork:
    """A fetched payload and its lease: `token` is its field in the in-flight hash of `queue`.

    Nothing else removes a job from Redis than settling its unit of work.
    """

    __slots__ = ("queue", "raw", "token")

    def __init__(self, queue: str, token: int, raw: bytes) -> None:
        self.queue = queue
        self.token = token
        self.raw = raw

    def __repr__(self) -> str:
        return f"UnitOfWork({self.queue!r}, {self.token}, {self.raw[:80]!r})"
