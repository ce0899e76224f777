"""Options are checked where they are written: in the class statement, the decorator, or `set` (behaviour 2)."""

import logging
import re
from datetime import timedelta

import pytest
from own_home import OwnHome

from pillion.definition.options import check_options
from pillion.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", ""),
        ("queue", "has space"),
        ("queue", 5),
        ("retry", "often"),
        ("retry", -1),
        ("retry", 1.5),
        ("retry_for", "1h"),
        ("retry_for", True),
        ("retry_for", 1_000_000_001),
        ("retry_for", float("nan")),
        ("retry_queue", "a b"),
        ("backtrace", -1),
        ("backtrace", "all"),
        ("dead", 0),
        ("tags", "billing"),
        ("tags", ["a", 1]),
        ("tags", {"a"}),
        ("log_level", "loud"),
        ("log_level", 7),
        ("profile", True),
        ("display_class", ""),
        ("jid", "x"),
        ("args", []),
        ("custom", object()),
        ("custom", (1, 2)),
        ("custom", {"at": timedelta(1)}),
    ],
)
def test_a_wrong_option_is_refused_by_name(name, value):
    with pytest.raises(ConfigError) as error:
        check_options({name: value})
    assert error.value.option == name


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("queue", "a-b_c.d:E9", "a-b_c.d:E9"),
        ("retry", True, True),
        ("retry", False, False),
        ("retry", 0, 0),
        ("retry_for", timedelta(hours=1), 3600),
        ("retry_for", 90.9, 90),
        ("backtrace", True, True),
        ("backtrace", 10, 10),
        ("tags", ("a", "b"), ["a", "b"]),
        ("log_level", logging.WARNING, "warn"),
        ("log_level", "WARNING", "warn"),
        ("log_level", "debug", "debug"),
        ("custom", {"deep": [1, None, "x"]}, {"deep": [1, None, "x"]}),
    ],
)
def test_a_right_option_takes_its_wire_form(name, value, wire):
    assert check_options({name: value}) == {name: wire}


def test_options_keep_their_order():
    assert list(check_options({"tags": [], "queue": "a", "custom": 1})) == ["tags", "queue", "custom"]


def test_the_class_statement_the_decorator_and_set_all_check():
    home = OwnHome()

    class Fine(home.Job):
        def perform(self): ...

    with pytest.raises(ConfigError):

        class Wrong(home.Job, queue="has space"):
            def perform(self): ...

    for wrong in (
        lambda: home.job(retry="often")(lambda: None),
        lambda: Fine.set(tags="billing"),
        lambda: Fine.configure(dead=1),
        lambda: Fine.queue_as(""),
    ):
        with pytest.raises(ConfigError):
            wrong()


def test_a_wrong_job_is_not_registered():
    home = OwnHome()
    with pytest.raises(ConfigError):
        home.job(retry="often")(lambda: None)
    assert home.jobs.names() == []


def test_loggable_arguments_are_positions_and_become_a_list():
    assert check_options({"loggable_arguments": (1, 3)}) == {"loggable_arguments": [1, 3]}
    with pytest.raises(ConfigError, match="positions of arguments"):
        check_options({"loggable_arguments": ["name"]})


def test_an_option_that_looks_like_a_slip_is_pointed_out_and_kept(caplog):
    assert check_options({"retries": 3, "quee": "x", "team": "billing"}) == {
        "retries": 3,
        "quee": "x",
        "team": "billing",
    }
    assert "Did you mean 'retry'?" in caplog.text
    assert "Did you mean 'queue'?" in caplog.text
    assert "team" not in caplog.text


@pytest.mark.parametrize(
    ("elsewhere", "here"),
    [
        ("countdown", "countdown= is Celery's: use perform_in(seconds, ...)"),
        ("eta", "perform_at(moment, ...)"),
        ("delay", "perform_in(seconds, ...)"),
        ("bind", "write a job class"),
        ("name", "wire_name="),
        ("max_retries", "write retry="),
        ("autoretry_for", "every exception is retried"),
        ("retry_backoff", "retry_in(count, exc, payload)"),
        ("acks_late", "leave it out"),
        ("soft_time_limit", "timeout_s="),
        ("time_limit", "hard_timeout_s="),
        ("job_timeout", "job_timeout= is RQ's"),
        ("queue_name", "queue_name= is Dramatiq's: write queue="),
    ],
)
def test_what_other_libraries_call_an_option_is_refused_with_the_name_here(elsewhere, here):
    with pytest.raises(ConfigError, match=re.escape(here)) as error:
        check_options({"queue": "low", elsewhere: 3})
    assert error.value.option == elsewhere


def test_words_of_other_libraries_are_refused_wherever_options_are_written():
    home = OwnHome()

    class Fine(home.Job):
        def perform(self): ...

    def as_class():
        class Retried(home.Job, max_retries=3):
            def perform(self): ...

    for wrong in (
        as_class,
        lambda: home.job(bind=True)(lambda: None),
        lambda: Fine.set(countdown=10),
        lambda: Fine.set(queue="low").set(countdown=10),
        lambda: Fine.configure(acks_late=True),
    ):
        with pytest.raises(ConfigError, match=r"is Celery's"):
            wrong()
    assert Fine.__job__.own_options == {}
