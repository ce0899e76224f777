"""What a line says about the running job: context, the lines start/done/fail, filtered arguments."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from contextvars import copy_context
from dataclasses import dataclass

import pytest

from pillion import log
from pillion.errors import Interrupted, Postponed
from pillion.log.levels import LevelFilter


@dataclass
class Options:
    skip_default_job_logging: bool = False
    logged_job_attributes: tuple[str, ...] = ("bid", "tags")
    log_arguments: bool = True


PAYLOAD = {"class": "Order", "jid": "a66f", "queue": "high", "args": [1, "secret"], "tags": ["vip"]}


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def logger(stream):
    """A logger of our own with Pillion's JSON lines, so that the root stays as it is."""
    made = logging.Logger("test", logging.INFO)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log.JsonFormatter())
    handler.addFilter(LevelFilter(logging.INFO))
    made.addHandler(handler)
    return made


def lines(stream) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestContext:
    def test_is_empty_at_first(self):
        assert log.context() == {}

    def test_with_context_adds_facts_and_takes_them_back(self):
        with log.with_context(order=1):
            with log.with_context(item=2):
                assert log.context() == {"order": 1, "item": 2}
            assert log.context() == {"order": 1}
        assert log.context() == {}

    def test_comes_back_after_an_exception(self):
        with pytest.raises(ValueError), log.with_context(order=1):
            raise ValueError
        assert log.context() == {}

    def test_add_context_lasts_to_the_end_of_the_block(self):
        with log.with_context(order=1):
            log.add_context(item=2)
            assert log.context() == {"order": 1, "item": 2}
        assert log.context() == {}

    def test_another_thread_has_its_own(self):
        seen = []
        with log.with_context(order=1):
            thread = threading.Thread(target=lambda: seen.append(log.context()))
            thread.start()
            thread.join()
        assert seen == [{}]

    def test_an_asyncio_task_has_its_own(self):
        async def one(number: int) -> dict:
            with log.with_context(order=number):
                await asyncio.sleep(0)
                return log.context()

        async def both() -> list[dict]:
            return await asyncio.gather(one(1), one(2))

        assert asyncio.run(both()) == [{"order": 1}, {"order": 2}]


class TestTid:
    def test_is_short_and_plain(self):
        assert log.tid().isalnum()
        assert len(log.tid()) <= 6

    def test_differs_between_threads(self):
        seen = []
        thread = threading.Thread(target=lambda: seen.append(log.tid()))
        thread.start()
        thread.join()
        assert seen != [log.tid()]


class TestJobFacts:
    def test_are_class_jid_attributes_queue_and_filtered_args(self, logger):
        assert log.JobLog(logger, Options()).context(PAYLOAD) == {
            "class": "Order",
            "jid": "a66f",
            "tags": ["vip"],
            "queue": "high",
            "args": [1, "[FILTERED]"],
        }

    def test_name_the_wrapped_class(self, logger):
        facts = log.JobLog(logger, Options()).context({**PAYLOAD, "class": "Wrapper", "wrapped": "Mailer"})
        assert facts["class"] == "Mailer"

    def test_follow_the_configured_attributes(self, logger):
        facts = log.JobLog(logger, Options(logged_job_attributes=("bid",))).context({**PAYLOAD, "bid": "b1"})
        assert facts["bid"] == "b1"
        assert "tags" not in facts

    def test_leave_the_arguments_out_where_told_so(self, logger):
        assert "args" not in log.JobLog(logger, Options(log_arguments=False)).context(PAYLOAD)

    def test_are_on_every_line_logged_while_the_job_runs(self, logger, stream):
        job_log = log.JobLog(logger, Options())
        token = job_log.enter(PAYLOAD)
        logger.info("inside")
        job_log.leave(token)
        logger.info("outside")
        inside, outside = lines(stream)
        assert inside["ctx"]["jid"] == "a66f"
        assert "ctx" not in outside

    def test_what_add_context_added_ends_with_the_job(self, logger):
        job_log = log.JobLog(logger, Options())
        token = job_log.enter(PAYLOAD)
        log.add_context(order=42)
        assert log.context()["order"] == 42
        job_log.leave(token)
        assert log.context() == {}

    def test_everything_that_add_context_added_stays(self, logger):
        job_log = log.JobLog(logger, Options())
        token = job_log.enter(PAYLOAD)
        log.add_context(order=42)
        log.add_context(item=7)
        assert (log.context()["order"], log.context()["item"]) == (42, 7)
        job_log.leave(token)

    def test_what_was_added_in_a_copied_context_can_be_taken_over(self, logger):
        job_log = log.JobLog(logger, Options())
        token = job_log.enter(PAYLOAD)
        copied = copy_context()
        copied.run(log.add_context, order=42)
        assert "order" not in log.context()
        log.adopt(copied)
        assert log.context()["order"] == 42
        job_log.leave(token)
        log.adopt(copy_context())
        assert log.context() == {}

    @pytest.mark.parametrize("make", [log.TextFormatter, log.JsonFormatter])
    def test_the_nearer_goes_before_the_further(self, logger, stream, make):
        """Those of the record, of with_context, of add_context, of the job."""
        logger.handlers[0].setFormatter(make())
        job_log = log.JobLog(logger, Options())
        token = job_log.enter({**PAYLOAD, "tags": ["job"]})
        log.add_context(tags="added", jid="added", order="added")
        with log.with_context(jid="around", order="around"):
            logger.info("inside", extra={"pillion": {"order": "own"}})
        job_log.leave(token)
        line = stream.getvalue()
        found = line.split() if make is log.TextFormatter else [f"{k}={v}" for k, v in json.loads(line)["ctx"].items()]
        assert {"tags=added", "jid=around", "order=own"} <= set(found)

    def test_stand_before_what_with_context_added(self, logger):
        job_log = log.JobLog(logger, Options())
        token = job_log.enter(PAYLOAD)
        with log.with_context(order=42):
            assert list(log.context()) == ["class", "jid", "tags", "queue", "args", "order"]
        job_log.leave(token)


class TestStartDoneFail:
    def test_a_good_job_is_two_lines(self, logger, stream):
        job_log = log.JobLog(logger, Options())
        ctx = job_log.context(PAYLOAD)
        job_log.start(ctx)
        job_log.done(ctx, 1.00249, 0.0012345678)
        start, done = lines(stream)
        assert (start["msg"], start["lvl"]) == ("start", "INFO")
        assert "duration" not in start
        assert (done["msg"], done["duration"], done["cpu_s"]) == ("done", 1.002, 0.001235)
        assert done["ctx"]["elapsed"] == 1.002
        assert "cpu_s" not in done["ctx"]

    def test_a_job_without_tags_has_none_on_its_lines(self, logger):
        facts = log.JobLog(logger, Options()).context({**PAYLOAD, "tags": [], "bid": None})
        assert {"tags", "bid"} & facts.keys() == set()

    def test_times_have_milliseconds(self, logger, stream):
        job_log = log.JobLog(logger, Options())
        job_log.done({}, 1.00249, None)
        job_log.put_off({}, 0.12345, None, Postponed(1 / 3))
        done, postponed = lines(stream)
        assert (done["duration"], postponed["duration"], postponed["ctx"]["again_in_s"]) == (1.002, 0.123, 0.333)

    def test_a_level_of_its_own_brings_no_lines_back_that_the_config_skips(self, logger):
        skipping = log.JobLog(logger, Options(skip_default_job_logging=True))
        assert not skipping.wants({**PAYLOAD, "log_level": "debug"})

    def test_a_failed_job_says_fail_with_its_time(self, logger, stream):
        job_log = log.JobLog(logger, Options())
        job_log.fail(job_log.context(PAYLOAD), 0.5, 0.25)
        assert [(line["msg"], line["duration"], line["cpu_s"]) for line in lines(stream)] == [("fail", 0.5, 0.25)]

    def test_a_postponed_job_says_when_it_comes_again_and_why(self, logger, stream):
        job_log = log.JobLog(logger, Options())
        job_log.put_off(job_log.context(PAYLOAD), 0.5, 0.25, Postponed(60.25, "the shop is closed"))
        (line,) = lines(stream)
        assert (line["msg"], line["lvl"], line["duration"]) == ("postponed", "INFO", 0.5)
        assert (line["ctx"]["again_in_s"], line["ctx"]["why"]) == (60.25, "the shop is closed")

    def test_an_interrupted_job_says_that_it_is_queued_again(self, logger, stream):
        job_log = log.JobLog(logger, Options())
        job_log.put_off(job_log.context(PAYLOAD), 0.5, None, Interrupted())
        (line,) = lines(stream)
        assert (line["msg"], line["ctx"]["why"]) == ("interrupted", "it goes back to its queue")
        assert "again_in_s" not in line["ctx"]

    def test_enabled_at_info(self, logger):
        assert log.JobLog(logger, Options()).enabled

    def test_not_enabled_above_info(self, logger):
        logger.setLevel(logging.WARNING)
        assert not log.JobLog(logger, Options()).enabled

    def test_not_enabled_where_the_config_skips_it(self, logger):
        assert not log.JobLog(logger, Options(skip_default_job_logging=True)).enabled

    def test_the_text_line_is_sidekiqs(self, stream):
        made = logging.Logger("text", logging.INFO)
        handler = logging.StreamHandler(stream)
        handler.setFormatter(log.TextFormatter())
        made.addHandler(handler)
        job_log = log.JobLog(made, Options())
        job_log.done(job_log.context(PAYLOAD), 0.2341, 0.1)
        assert stream.getvalue().endswith(" class=Order jid=a66f tags=vip elapsed=0.234 INFO: done\n")

    def test_the_text_line_of_a_postponed_job_has_the_reason(self, stream):
        made = logging.Logger("text", logging.INFO)
        handler = logging.StreamHandler(stream)
        handler.setFormatter(log.TextFormatter())
        made.addHandler(handler)
        job_log = log.JobLog(made, Options())
        job_log.put_off(job_log.context(PAYLOAD), 0.2341, 0.1, Postponed(60))
        assert stream.getvalue().endswith(" elapsed=0.234 again_in_s=60 why=to run again in 60 s INFO: postponed\n")


class TestLevelOfOneJob:
    def run(self, logger, payload) -> None:
        job_log = log.JobLog(logger, Options())
        mine = log.JobLogger(logger)
        token = job_log.enter(payload)
        mine.debug("detail %s", 1)
        mine.warning("careful")
        logger.warning("from a library")
        job_log.leave(token)
        mine.debug("afterwards")

    def test_lets_more_through_for_that_job_only(self, logger, stream):
        self.run(logger, {**PAYLOAD, "log_level": "debug"})
        assert [line["msg"] for line in lines(stream)] == ["detail 1", "careful", "from a library"]

    def test_may_be_in_capitals_as_others_write_it(self, logger, stream):
        self.run(logger, {**PAYLOAD, "log_level": "DEBUG"})
        assert "detail 1" in stream.getvalue()

    def test_lets_less_through(self, logger, stream):
        self.run(logger, {**PAYLOAD, "log_level": "error"})
        assert lines(stream) == []

    def test_is_the_loggers_own_without_one(self, logger, stream):
        self.run(logger, PAYLOAD)
        assert [line["msg"] for line in lines(stream)] == ["careful", "from a library"]

    @pytest.mark.parametrize("odd", ["loud", 5, None])
    def test_ignores_a_level_that_does_not_exist(self, logger, stream, odd):
        self.run(logger, {**PAYLOAD, "log_level": odd})
        assert [line["msg"] for line in lines(stream)] == ["careful", "from a library"]

    def test_start_appears_for_a_job_that_asks_in_a_quiet_process(self, logger, stream):
        logger.setLevel(logging.WARNING)
        payload = {**PAYLOAD, "log_level": "info"}
        job_log = log.JobLog(logger, Options())
        assert job_log.wants(payload)
        token = job_log.enter(payload)
        job_log.start(job_log.context(payload))
        job_log.leave(token)
        assert [line["msg"] for line in lines(stream)] == ["start"]

    def test_the_line_points_at_the_callers_file(self, logger):
        seen = []
        logger.addFilter(lambda record: seen.append(record.filename) or True)
        log.JobLogger(logger).warning("here")
        assert seen == ["test_log_jobs.py"]


class TestLoggableArguments:
    def test_shows_numbers_and_opened_positions_only(self):
        assert log.loggable_arguments((1, "a", "b", "c"), (1, 3)) == [1, "a", "[FILTERED]", "c"]

    def test_hides_all_text_without_the_option(self):
        assert log.loggable_arguments((1, "a", "b", "c")) == [1, "[FILTERED]", "[FILTERED]", "[FILTERED]"]

    @pytest.mark.parametrize("value", [True, None, [1], {"a": 1}])
    def test_hides_what_is_not_a_number(self, value):
        assert log.loggable_arguments([value]) == ["[FILTERED]"]

    @pytest.mark.parametrize("odd", [5, True, "1", {"1": 1}, [[1]], ["1", None, True]], ids=repr)
    def test_an_option_that_is_no_list_of_positions_opens_nothing(self, logger, odd):
        facts = log.JobLog(logger, Options()).context({**PAYLOAD, "args": ["a", "b"], "loggable_arguments": odd})
        assert facts["args"] == ["[FILTERED]", "[FILTERED]"]

    @pytest.mark.parametrize("odd", [5, "secret", {"secret": 1}], ids=repr)
    def test_arguments_that_are_no_list_are_not_shown(self, logger, odd):
        assert log.JobLog(logger, Options()).context({**PAYLOAD, "args": odd})["args"] == []

    def test_reads_the_jobs_own_option(self, logger):
        facts = log.JobLog(logger, Options()).context({**PAYLOAD, "loggable_arguments": [1]})
        assert facts["args"] == [1, "secret"]
