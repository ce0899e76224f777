"""The lines start, done and fail that our handler writes without a record: as with one, and only if nobody can tell."""

from __future__ import annotations

import functools
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from pillion import log
from pillion.errors import Postponed
from pillion.log.handler import Handler
from pillion.log.levels import LevelFilter
from pillion.log.record import LineWriter

PAYLOAD = {
    "class": "Order",
    "jid": "a66",
    "queue": "high",
    "args": [1, "secret"],
    "tags": ["a\nb", "ü\ud800"],
    "meta.tenant": "t1",
}
OPTIONS = SimpleNamespace(skip_default_job_logging=False, logged_job_attributes=("bid", "tags"), log_arguments=True)


class Keep(logging.Handler):
    """Keeps the messages of its records."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())

    def sees(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return True


class Terminal(io.StringIO):
    """A stream that wants colours."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before the test."""
    root = logging.getLogger()
    level, level_of_jobs = root.level, logging.getLogger(log.JOB_LOGGER).level
    yield root
    for handler in [each for each in root.handlers if type(each).__module__ == "pillion.log.handler"]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.getLogger(log.JOB_LOGGER).setLevel(level_of_jobs)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of all records that anybody makes."""
    made: list[str] = []
    handle = LineWriter.write

    def write(self: Any, message: str, extra: object) -> None:
        made.append(message)
        handle(self, message, extra)

    monkeypatch.setattr(LineWriter, "write", write)
    return made


def nothing(order: int) -> None:
    """Adds no context."""


def run(payload: dict[str, Any] = PAYLOAD, way: Callable[..., Any] = nothing) -> bool:
    """The lines of one job, while pytest does not listen, with context added in a `way`. Returns what `start` says."""
    root = logging.getLogger()
    all_handlers = root.handlers
    root.handlers = [each for each in all_handlers if not type(each).__module__.startswith("_pytest.")]
    try:
        return log_lines(payload, way)
    finally:
        root.handlers = all_handlers


def log_lines(payload: dict[str, Any], way: Callable[..., Any]) -> bool:
    job_log = log.JobLog(logging.getLogger("pillion"), OPTIONS)
    token = job_log.enter(payload)
    facts = job_log.context(payload)
    wants_cpu = job_log.start(facts)
    with way(order=42) or nullcontext():
        job_log.done(facts, 0.12345, 0.0012345678)
        job_log.fail(facts, 7, 0)
        job_log.put_off(facts, 7, 0, Postponed(1, "not now"))
    job_log.leave(token)
    return wants_cpu


def lines(level: str, log_format: str, stream: io.StringIO, environ: dict[str, str], **options: Any) -> str:
    log.setup(level, log_format, stream, environ)
    run({**PAYLOAD, **options})
    return stream.getvalue()


class TestSameLine:
    @pytest.mark.parametrize("log_format", ["text", "json"])
    @pytest.mark.parametrize("kind", [io.StringIO, Terminal])
    @pytest.mark.parametrize("environ", [{}, {"DYNO": "web.1"}])
    def test_as_with_a_record(self, root, records, monkeypatch, log_format: str, kind: type[io.StringIO], environ):
        monkeypatch.setattr(time, "time", lambda: 1678729794.253)
        direct = lines("info", log_format, kind(), environ)
        assert records == []
        assert direct.count("\n") == 4
        with of_the_logger(Keep()):
            assert lines("info", log_format, kind(), environ) == direct
        assert records == ["start", "done", "fail", "postponed"]

    @pytest.mark.parametrize("log_format", ["text", "json"])
    def test_with_added_context(self, root, records, monkeypatch, log_format: str):
        monkeypatch.setattr(time, "time", lambda: 1678729794.253)
        with log.with_context(order=42, jid="mine"), log.carrying({"meta.tenant": "t2"}):
            direct = lines("info", log_format, io.StringIO(), {})
            with of_the_logger(Keep()):
                assert lines("info", log_format, io.StringIO(), {}) == direct
        assert "42" in direct

    @pytest.mark.parametrize("log_format", ["text", "json"])
    @pytest.mark.parametrize("way", [log.add_context, log.with_context, lambda order: log.carrying({"meta.o": order})])
    def test_with_what_is_added_in_the_job(self, root, records, monkeypatch, log_format: str, way: Callable[..., Any]):
        monkeypatch.setattr(time, "time", lambda: 1678729794.253)
        streams = io.StringIO(), io.StringIO()
        for stream, others in zip(streams, (nullcontext(), of_the_logger(Keep())), strict=True):
            log.setup("info", log_format, stream, {})
            with others:
                run(PAYLOAD, way)
        assert streams[0].getvalue().count("42") == 3
        assert streams[1].getvalue() == streams[0].getvalue()
        assert records == ["start", "done", "fail", "postponed"]

    def test_of_a_job_with_a_level_of_its_own(self, root, records):
        assert lines("warn", "text", io.StringIO(), {}) == ""
        assert lines("warn", "text", io.StringIO(), {}, log_level="info").count("\n") == 4
        assert lines("info", "text", io.StringIO(), {}, log_level="error") == ""


@contextmanager
def of_the_logger(keep: Keep) -> Iterator[None]:
    logging.getLogger("pillion").addHandler(keep)
    yield
    logging.getLogger("pillion").removeHandler(keep)


@contextmanager
def of_the_root(keep: Keep) -> Iterator[None]:
    logging.getLogger().addHandler(keep)
    yield
    logging.getLogger().removeHandler(keep)


@contextmanager
def filter_of_the_logger(keep: Keep) -> Iterator[None]:
    logging.getLogger("pillion").addFilter(keep.sees)
    yield
    logging.getLogger("pillion").removeFilter(keep.sees)


@contextmanager
def filter_of_our_handler(keep: Keep) -> Iterator[None]:
    logging.getLogger().handlers[-1].addFilter(keep.sees)
    yield


@contextmanager
def formatter_of_our_handler(keep: Keep) -> Iterator[None]:
    class Mine(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            keep.emit(record)
            return super().format(record)

    logging.getLogger().handlers[-1].setFormatter(Mine())
    yield


@contextmanager
def record_factory(keep: Keep) -> Iterator[None]:
    usual = logging.getLogRecordFactory()

    def make(*args: Any, **options: Any) -> logging.LogRecord:
        record = usual(*args, **options)
        keep.emit(record)
        return record

    logging.setLogRecordFactory(make)
    yield
    logging.setLogRecordFactory(usual)


@contextmanager
def method_in_place_of_loggings(keep: Keep) -> Iterator[None]:
    usual = logging.Logger.callHandlers

    @functools.wraps(usual)
    def call(self: logging.Logger, record: logging.LogRecord) -> None:
        keep.emit(record)
        usual(self, record)

    logging.Logger.callHandlers = call  # type: ignore[method-assign]
    yield
    logging.Logger.callHandlers = usual  # type: ignore[method-assign]


@contextmanager
def factory_in_place_of_loggings(keep: Keep) -> Iterator[None]:
    usual = logging.Logger.makeRecord

    def make(*args: Any, **options: Any) -> logging.LogRecord:
        record = usual(*args, **options)
        keep.emit(record)
        return record

    logging.Logger.makeRecord = make  # type: ignore[method-assign]
    yield
    logging.Logger.makeRecord = usual  # type: ignore[method-assign]


WATCHERS = [
    of_the_logger,
    of_the_root,
    filter_of_the_logger,
    filter_of_our_handler,
    formatter_of_our_handler,
    record_factory,
    method_in_place_of_loggings,
    factory_in_place_of_loggings,
]


class TestWhoSeesRecords:
    @pytest.mark.parametrize("watch", WATCHERS)
    def test_gets_each(self, root, watch: Callable[[Keep], Any]):
        log.setup("info", "text", io.StringIO(), {})
        keep = Keep()
        run()
        with watch(keep):
            run()
        run() if watch not in (filter_of_our_handler, formatter_of_our_handler) else None
        assert keep.seen == ["start", "done", "fail", "postponed"]

    def test_ours_alone_keeps_its_level(self, root, records):
        stream = io.StringIO()
        log.setup("info", "text", stream, {}).setLevel(logging.ERROR)
        run()
        assert stream.getvalue() == ""

    def test_a_logger_that_does_not_propagate(self, root, records, monkeypatch):
        stream = io.StringIO()
        log.setup("info", "text", stream, {})
        monkeypatch.setattr(logging.getLogger("pillion"), "propagate", False)
        run()
        assert stream.getvalue() == ""

    def test_ours_obeys_the_level_of_the_process_where_a_logger_lets_more_through(self, root, records):
        stream, logger = io.StringIO(), logging.getLogger("pillion")
        log.setup("warn", "text", stream, {})
        before = logger.level
        logger.setLevel(logging.INFO)
        try:
            run()
        finally:
            logger.setLevel(before)
        assert (records, stream.getvalue()) == (["start", "done", "fail", "postponed"], "")

    def test_a_logger_that_is_disabled(self, root, records, monkeypatch):
        stream = io.StringIO()
        log.setup("info", "text", stream, {})
        monkeypatch.setattr(logging.getLogger("pillion"), "disabled", True)
        run({**PAYLOAD, "log_level": "info"})
        assert stream.getvalue() == ""

    def test_a_handler_made_of_ours(self, root):
        class Mine(Handler):
            def emit(self, record: logging.LogRecord) -> None:
                keep.emit(record)

        keep, ours = Keep(), log.setup("info", "text", io.StringIO(), {})
        root.removeHandler(ours)
        root.addHandler(mine := Mine(io.StringIO(), log.TextFormatter(), LevelFilter(logging.INFO)))
        run()
        root.removeHandler(mine)
        assert keep.seen == ["start", "done", "fail", "postponed"]

    def test_a_stream_put_in_later(self, root, records):
        first, second = io.StringIO(), io.StringIO()
        log.setup("info", "text", first, {}).setStream(second)
        run()
        assert (first.getvalue(), second.getvalue().count("\n"), records) == ("", 4, [])


class TestLineThatCannotBeWritten:
    def test_does_not_hurt_the_job(self, root, records, capsys):
        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError(28, "No space left on device")

        log.setup("info", "text", Full(), {})
        run()
        said = capsys.readouterr().err
        assert said.count("--- Logging error ---") == 4
        assert "No space left on device" in said
        assert records == []

    def test_arguments_that_json_does_not_know_are_told_as_text(self, root, records):
        stream = io.StringIO()
        log.setup("info", "json", stream, {})
        run({**PAYLOAD, "tags": [{1}], "jid": 5})
        assert json.loads(stream.getvalue().splitlines()[0])["ctx"]["tags"] == ["{1}"]


class TestProcessorTime:
    """`start` says whether it is worth its measuring: a text line has no room for it."""

    @pytest.mark.parametrize(("log_format", "shown"), [("text", False), ("json", True)])
    def test_is_asked_for_by_the_json_line(self, root, log_format: str, shown: bool):
        log.setup("info", log_format, io.StringIO(), {})
        assert run() is shown

    def test_is_asked_for_by_whoever_else_listens(self, root):
        log.setup("info", "text", io.StringIO(), {})
        with of_the_root(Keep()):
            assert run()

    def test_left_out_where_it_is_unknown(self, root):
        log.setup("info", "json", stream := io.StringIO(), {})
        job_log = log.JobLog(logging.getLogger("pillion"), OPTIONS)
        job_log.done({}, 0.5, None)
        line = json.loads(stream.getvalue())
        assert line["duration"] == 0.5
        assert "cpu_s" not in line
