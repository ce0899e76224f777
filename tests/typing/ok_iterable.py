"""Iterable jobs that a type checker must accept. Run by test_types.py; never executed."""

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, assert_type

import pillion
from pillion import IterableJob, Job
from pillion.iterable import Enumerator, batches, counted, csv_batches, csv_rows, each_batch, find_each, lines, sequence


class Newsletter(IterableJob[int, int], queue="bulk", retry=3):
    max_iteration_runtime_s = 300.0

    def build_enumerator(self, issue: str, urgent: bool = False, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        return sequence([1, 2, 3], cursor)

    def each_iteration(self, user_id: int, issue: str, urgent: bool = False) -> None:
        assert_type(self.cursor, int | None)
        assert_type(self.current_item, int | None)
        self.progress(user_id, 3)

    def on_cancel(self) -> None:
        self.logger.info("cancelled")

    @contextmanager
    def around_iteration(self) -> Generator[None]:
        yield


class Names(IterableJob[str, int]):
    def build_enumerator(self, *, cursor: int | None) -> Enumerator[str, int]:
        return lines("names.txt", cursor)

    async def each_iteration(self, name: str) -> None: ...

    async def on_complete(self) -> None: ...


class Feed(IterableJob[dict[str, Any], str]):
    async def build_enumerator(self, url: str, *, cursor: str | None) -> AsyncIterator[tuple[dict[str, Any], str]]:
        yield {}, ""

    async def each_iteration(self, entry: dict[str, Any], url: str) -> None: ...


class Sometimes(IterableJob[int, int]):
    def build_enumerator(self, *, cursor: int | None) -> Iterator[tuple[int, int]] | None:
        return None

    def each_iteration(self, item: int) -> None:
        if item > 5:
            self.abort(resume=True)
        assert_type(self.cancel(), int)


class Untyped(IterableJob):
    def build_enumerator(self, *, cursor: Any) -> Any:
        return counted("abc", cursor)

    def each_iteration(self, item: Any) -> None: ...


class Bulk(Job):
    def perform(self, ids: list[int]) -> None:
        for batch in self.batched(ids, 1000, pause=0.1):
            assert_type(batch, list[int])
        assert_type(self.progress(1, 3), float)


assert_type(Newsletter.perform_async("May"), str | None)
Newsletter.perform_async("May", urgent=True)
Newsletter.perform_async(issue="May")
Newsletter.perform_in(timedelta(hours=1), "May")
Newsletter.perform_at(1e9, "May")
Newsletter.set(queue="low").perform_async("May", True)
assert_type(Newsletter.perform_inline("May"), bool | None)
Newsletter.perform_bulk([["May"], ["June"]])
Names.perform_async()
Feed.perform_async("https://example.org")
Untyped.perform_async()

assert_type(csv_rows("a.csv", None), Enumerator[dict[str, str], int])
assert_type(csv_rows(["a,b"], 5, headers=False, delimiter=";"), Enumerator[list[str], int])
assert_type(csv_batches("a.csv", None, 50), Enumerator[list[dict[str, str]], int])
assert_type(sequence(["a"], None).size(), int | None)
assert_type(pillion.get_progress("jid"), float)
assert_type(pillion.cleanup_progress("jid"), bool)
for _ in find_each(object(), 500, gc_every=1000):
    pass
for _ in each_batch(range(5), 2):
    pass
batches(object(), None, 100)


async def push() -> None:
    assert_type(await Newsletter.perform_async.aio("May"), str | None)
    await Newsletter.set(retry=1).perform_in.aio(60, "May", urgent=True)
    assert_type(await pillion.get_progress.aio("jid"), float)
