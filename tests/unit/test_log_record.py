"""The records of the lines start, done and fail are what logging would have made."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pillion.log.record import LineWriter

VARYING = {"created", "msecs", "relativeCreated", "lineno"}


class Keep(logging.Handler):
    """Keeps the records it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of its own, at INFO."""
    logger = logging.getLogger("test.log_record")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger
    logger.handlers.clear()


@pytest.fixture
def keep(logger: logging.Logger) -> Keep:
    """What the logger was given."""
    keep = Keep()
    logger.addHandler(keep)
    return keep


def test_record_is_like_one_of_logging(logger: logging.Logger, keep: Keep) -> None:
    lines = LineWriter(logger, "facts")
    for _ in range(2):
        lines.write("start", {"a": 1})
        logger.info("start", extra={"facts": {"a": 1}})
    *_, ours, theirs = keep.records
    assert ours.__dict__.keys() == theirs.__dict__.keys()
    differing = {key for key, value in ours.__dict__.items() if value != theirs.__dict__[key]}
    assert differing <= VARYING


def test_records_have_their_own_time_and_extra(logger: logging.Logger, keep: Keep) -> None:
    lines = LineWriter(logger, "facts")
    began_s = time.time()
    lines.write("start", 1)
    lines.write("start", 2)
    first, second = keep.records
    assert (first.facts, second.facts) == (1, 2)  # type: ignore[attr-defined]
    assert began_s <= first.created <= second.created <= time.time()
    assert second.relativeCreated - first.relativeCreated == pytest.approx((second.created - first.created) * 1000)
    assert 0 <= second.msecs < 1000
    assert second.msecs == int(second.created % 1 * 1000)


def test_each_thread_has_its_name(logger: logging.Logger, keep: Keep) -> None:
    lines = LineWriter(logger, "facts")
    lines.write("start", None)
    thread = threading.Thread(target=lines.write, args=("start", None), name="another")
    thread.start()
    thread.join()
    assert [record.threadName for record in keep.records] == [threading.current_thread().name, "another"]
    assert keep.records[0].thread != keep.records[1].thread


def test_each_task_has_its_name(logger: logging.Logger, keep: Keep) -> None:
    """From Python 3.12 on records have one; before, neither of the two has."""
    lines = LineWriter(logger, "facts")

    async def both() -> None:
        lines.write("start", None)
        logger.info("start")

    async def main() -> None:
        for name in ("one", "two"):
            await asyncio.create_task(both(), name=name)

    lines.write("start", None)
    asyncio.run(main())
    names = [getattr(record, "taskName", None) for record in keep.records]
    assert names[1::2] == names[2::2]


def test_after_a_fork_records_have_the_new_pid(
    logger: logging.Logger, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = LineWriter(logger, "facts")
    lines.write("start", None)
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    lines.write("start", None)
    assert [record.process == 4711 for record in keep.records] == [False, True]


def test_a_logger_of_another_class_is_asked(keep: Keep) -> None:
    class Mine(logging.Logger):
        def _log(self, *args: Any, **options: Any) -> None:
            asked.append(args[1])

    asked: list[str] = []
    LineWriter(Mine("mine"), "facts").write("start", None)
    assert asked == ["start"]


def test_a_logger_below_another_one_has_more_to_think_of_than_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    only = Keep()
    monkeypatch.setattr(logging.getLogger(), "handlers", [only])
    above, below = logging.getLogger("test_above"), logging.getLogger("test_above.below")
    assert [LineWriter(logger, "facts").only_handler() for logger in (above, below)] == [only, None]


def test_factory_of_the_application_is_asked(logger: logging.Logger, keep: Keep) -> None:
    class Mine(logging.LogRecord):
        pass

    lines = LineWriter(logger, "facts")
    lines.write("start", 1)
    usual = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Mine)
    try:
        lines.write("start", 2)
    finally:
        logging.setLogRecordFactory(usual)
    assert [type(record) for record in keep.records] == [logging.LogRecord, Mine]


def test_filters_of_the_logger_are_obeyed(logger: logging.Logger, keep: Keep) -> None:
    logger.addFilter(refuse := lambda _: False)
    try:
        LineWriter(logger, "facts").write("start", None)
    finally:
        logger.removeFilter(refuse)
    assert not keep.records
