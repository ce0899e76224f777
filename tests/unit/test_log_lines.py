"""The lines: what one log record looks like as text and as JSON (requirements F224 to F226, behaviour.md 13)."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import re
import sys
from types import SimpleNamespace

import pytest

from pillion import log
from pillion.errors import ConfigError
from pillion.log.facts import TASK_TID

PREFIX = re.compile(r"pid=(\d+) tid=([0-9a-z]+) ")


def record(message: str = "hi", level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("app", level, __file__, 1, message, (), None)
    made.created = 1678729794.2530000
    for key, value in extra.items():
        setattr(made, key, value)
    return made


def text(made: logging.LogRecord, **options: bool) -> str:
    return log.TextFormatter(**options).format(made)


def as_json(made: logging.LogRecord) -> dict[str, object]:
    line = log.JsonFormatter().format(made)
    assert "\n" not in line
    return json.loads(line, parse_constant=pytest.fail)  # Python reads NaN, but nobody else does


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)


class TestText:
    def test_has_time_pid_tid_level_and_message(self):
        assert re.fullmatch(r"2023-03-13T17:49:54\.253Z pid=\d+ tid=[0-9a-z]+ INFO: hi", text(record()))

    def test_names_this_process_and_this_thread(self):
        pid, tid = PREFIX.search(text(record())).groups()
        assert (int(pid), tid) == (os.getpid(), log.tid())

    def test_puts_the_facts_between_tid_and_level(self):
        made = record("done", pillion={"class": "Order", "jid": "a66", "elapsed": 0.234})
        assert text(made).endswith(" class=Order jid=a66 elapsed=0.234 INFO: done")

    def test_joins_a_list_with_commas(self):
        assert " tags=a,b " in text(record(pillion={"tags": ["a", "b"]}))

    def test_keeps_a_fact_with_a_line_break_on_its_line(self):
        assert text(record(pillion={"name": "a\nb"})).count("\n") == 0

    def test_escapes_what_would_be_a_line_or_an_order_to_a_terminal(self):
        odd = {"meta.a\nb": "\x1b[31mred\r\x08\x85\u2028", "tags": ["\x0b", "x"], "class": {"a": "\x00"}}
        expected = r" meta.a\nb=\x1b[31mred\r\x08\x85\u2028 tags=\x0b,x class={'a': '\x00'} INFO: hi"
        assert text(record(pillion=odd)).endswith(expected)

    def test_keeps_letters_and_signs_of_any_language(self):
        assert " name=Größe\u00a0\u200cن INFO: " in text(record(pillion={"name": "Größe\u00a0\u200cن"}))

    def test_leaves_queue_and_args_to_json(self):
        assert "queue=" not in text(record(pillion={"queue": "high", "args": [1]}))

    def test_has_no_time_where_the_platform_adds_its_own(self):
        assert text(record(), timestamp=False).startswith("pid=")

    @pytest.mark.parametrize(
        ("level", "name", "colour"),
        [
            (logging.DEBUG, "DEBUG", "1;32"),
            (logging.INFO, "INFO", "1;34"),
            (logging.WARNING, "WARN", "1;33"),
            (logging.ERROR, "ERROR", "1;31"),
            (logging.CRITICAL, "FATAL", "1;35"),
        ],
    )
    def test_colours_the_level(self, level: int, name: str, colour: str):
        assert text(record(level=level), colour=True).endswith(f" \x1b[{colour}m{name}\x1b[0m: hi")

    def test_is_plain_without_colour(self):
        assert "\x1b" not in text(record())

    @pytest.mark.parametrize(("level", "name"), [(5, "DEBUG"), (25, "INFO"), (35, "WARN"), (60, "FATAL")])
    def test_names_an_odd_level_by_the_one_below(self, level: int, name: str):
        assert f" {name}: " in text(record(level=level))

    def test_puts_a_traceback_below_the_line(self):
        try:
            raise ValueError("boom")
        except ValueError:
            made = record(exc_info=sys.exc_info())
        first, *rest = text(made).splitlines()
        assert first.endswith("INFO: hi")
        assert rest[0].startswith("Traceback")
        assert rest[-1] == "ValueError: boom"

    def test_has_three_digits_of_milliseconds(self):
        made = record()
        made.created = 1678729794.005
        assert text(made).startswith("2023-03-13T17:49:54.005Z ")

    def test_has_the_traceback_that_another_process_made(self):
        assert text(record(exc_text="Traceback of a child")).endswith("INFO: hi\nTraceback of a child")

    def test_makes_a_traceback_once_for_all_handlers(self):
        try:
            raise ValueError("boom")
        except ValueError:
            made = record(exc_info=sys.exc_info(), exc_text="made before")
        assert text(made).endswith("INFO: hi\nmade before")

    def test_has_no_traceback_where_nothing_was_raised(self):
        assert text(record(exc_info=(None, None, None))).endswith("INFO: hi")

    def test_puts_the_stack_below_the_line(self):
        assert text(record(stack_info="Stack (most recent call last):")).endswith("hi\nStack (most recent call last):")

    def test_names_a_task_where_the_thread_is_that_of_many(self):
        token = TASK_TID.set("task7")
        try:
            assert (log.tid(), " tid=task7 " in text(record())) == ("task7", True)
        finally:
            TASK_TID.reset(token)

    def test_writes_a_lone_surrogate_as_its_escape(self):
        assert text(record("bad \ud800")).endswith(r"bad \ud800")


class TestJson:
    def test_has_the_five_keys(self):
        assert as_json(record()) == {
            "ts": "2023-03-13T17:49:54.253Z",
            "pid": os.getpid(),
            "tid": log.tid(),
            "lvl": "INFO",
            "msg": "hi",
        }

    def test_has_the_facts_under_ctx(self):
        assert as_json(record(pillion={"class": "Order", "tags": ["a"]}))["ctx"] == {"class": "Order", "tags": ["a"]}

    def test_has_duration_and_cpu_time_as_numbers(self):
        line = as_json(record("done", pillion={"elapsed": 1.002, "cpu_s": 0.000123}))
        assert (line["duration"], line["cpu_s"]) == (1.002, 0.000123)

    def test_has_the_traceback_under_error(self):
        try:
            raise ValueError("boom")
        except ValueError:
            made = record(exc_info=sys.exc_info())
        assert str(as_json(made)["error"]).endswith("ValueError: boom")

    def test_writes_a_fact_that_json_cannot_carry_as_text(self):
        assert as_json(record(pillion={"path": object}))["ctx"] == {"path": "<class 'object'>"}

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (math.nan, "nan"),
            (-math.inf, "-inf"),
            ([1, {"deep": math.nan}], "[1, {'deep': nan}]"),
            ({(1, 2): 3}, "{(1, 2): 3}"),
            (CIRCLE, "[[...]]"),
        ],
        ids=repr,
    )
    def test_is_json_whatever_a_fact_is(self, value: object, expected: str):
        line = as_json(record("done", pillion={"odd": value, "elapsed": 1.5, "ctx": 3}))
        assert line["ctx"] == {"odd": expected, "elapsed": 1.5, "ctx": 3}
        assert (line["msg"], line["duration"]) == ("done", 1.5)

    def test_keeps_letters_of_any_language(self):
        assert "Größe" in log.JsonFormatter().format(record("Größe"))

    def test_survives_a_lone_surrogate(self):
        log.JsonFormatter().format(record("bad \ud800")).encode()


class TestWhichFormatter:
    def colour(self, environ: dict[str, str], *, is_terminal: bool) -> bool:
        return "\x1b" in log.make_formatter("text", environ, is_terminal=is_terminal).format(record())

    def test_a_terminal_gets_colour(self):
        assert self.colour({}, is_terminal=True)

    def test_a_pipe_gets_none(self):
        assert not self.colour({}, is_terminal=False)

    def test_no_color_is_obeyed(self):
        assert not self.colour({"NO_COLOR": "1"}, is_terminal=True)

    def test_dyno_leaves_the_time_out(self):
        line = log.make_formatter("text", {"DYNO": "worker.1"}, is_terminal=False).format(record())
        assert line.startswith("pid=")

    def test_json_is_json_everywhere(self):
        assert isinstance(log.make_formatter("json", {"DYNO": "x"}, is_terminal=True), log.JsonFormatter)

    def test_an_unknown_format_is_refused(self):
        with pytest.raises(ConfigError, match='"text" or "json"'):
            log.make_formatter("xml", {}, is_terminal=False)


class TestSetup:
    @pytest.fixture(autouse=True)
    def _root_as_before(self):
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        yield
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger(log.JOB_LOGGER).setLevel(logging.NOTSET)

    def test_importing_installs_nothing(self):
        assert not [each for each in logging.getLogger().handlers if each.__class__.__module__ == "pillion.log.handler"]

    def test_sends_any_logger_to_the_stream(self):
        stream = io.StringIO()
        log.setup("info", "text", stream, {})
        logging.getLogger("some.library").info("hello")
        assert stream.getvalue().endswith("INFO: hello\n")

    def test_drops_what_is_below_the_level(self):
        stream = io.StringIO()
        log.setup("warn", "text", stream, {})
        logging.getLogger("some.library").info("hello")
        assert stream.getvalue() == ""

    def test_the_logger_of_the_jobs_obeys_the_level_of_the_process(self):
        stream = io.StringIO()
        log.setup("info", "text", stream, {})
        logging.getLogger(log.JOB_LOGGER).debug("detail")
        assert stream.getvalue() == ""

    def test_the_logger_of_the_jobs_obeys_a_lower_level_of_its_job(self):
        stream = io.StringIO()
        log.setup("info", "text", stream, {})
        options = SimpleNamespace(skip_default_job_logging=False, logged_job_attributes=(), log_arguments=False)
        job_log = log.JobLog(logging.getLogger("pillion"), options)
        token = job_log.enter({"class": "A", "jid": "b", "log_level": "debug"})
        logging.getLogger(log.JOB_LOGGER).debug("detail")
        job_log.leave(token)
        assert stream.getvalue().endswith("class=A jid=b DEBUG: detail\n")

    def test_a_second_time_replaces_the_first(self):
        first, second = io.StringIO(), io.StringIO()
        log.setup("info", "text", first, {})
        log.setup("info", "json", second, {})
        logging.getLogger("some.library").info("hello")
        assert first.getvalue() == ""
        assert second.getvalue().count("\n") == 1

    def test_an_unknown_level_is_refused_with_the_known_ones(self):
        with pytest.raises(ConfigError, match=r"log_level: expected one of debug, info, .*got 'loud'"):
            log.setup("loud")
