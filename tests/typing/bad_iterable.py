"""What a type checker must refuse about iterable jobs, on exactly the lines marked. Never executed."""

from collections.abc import Iterator

from pillion import IterableJob
from pillion.iterable import csv_rows, sequence


class Newsletter(IterableJob[int, int]):
    def build_enumerator(self, issue: str, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        return sequence([1, 2, 3], cursor)

    def each_iteration(self, user_id: int, issue: str) -> None: ...


class WrongItem(IterableJob[int, int]):
    def build_enumerator(self, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        return sequence(["a"], cursor)  # E

    def each_iteration(self, user_id: int) -> None: ...


class WrongCursor(IterableJob[int, int]):
    def build_enumerator(self, *, cursor: str | None) -> Iterator[tuple[int, str]]:  # E
        return iter([(1, "1")])

    def each_iteration(self, user_id: int) -> None: ...


class NoCursor(IterableJob[int, int]):
    def build_enumerator(self, *, cursor: int | None) -> Iterator[int]:  # E
        return iter([1])

    def each_iteration(self, user_id: int) -> None: ...


class WrongHook(IterableJob[int, int]):
    max_iteration_runtime_s = "5 minutes"  # E

    def build_enumerator(self, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        return sequence([1], cursor)

    def each_iteration(self, user_id: int) -> None: ...

    def on_start(self, user_id: int) -> None: ...  # E


Newsletter.perform_async(5)  # E
Newsletter.perform_async()  # E
Newsletter.perform_async("May", 5)  # E
Newsletter.perform_async(item=5)  # E
Newsletter.perform_in(60)  # E
Newsletter.perform_inline(5)  # E
Newsletter.set(queue="low").perform_async(5)  # E
sequence({1, 2}, None)  # E
sequence([1], "a")  # E
csv_rows(5, None)  # E


async def push() -> None:
    await Newsletter.perform_async.aio(5)  # E
