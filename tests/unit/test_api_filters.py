"""Which jobs a Filter means. Pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from pillion.api.entry import SortedEntry
from pillion.api.filters import Filter, require
from pillion.api.record import JobData
from pillion.errors import ConfigError

AT_S = 1_795_300_000.0
FAILED_S = 1_795_200_000.0

FIELDS: dict[str, Any] = {
    "retry": True,
    "queue": "mail",
    "args": ["Grüße", 7],
    "class": "app.Mail",
    "jid": "9922ab488a26202ca88dcdde",
    "tags": ["vip", "eu"],
    "error_class": "TimeoutError",
    "error_message": "no answer within 5 s",
    "failed_at": int(FAILED_S * 1000),
    "retry_count": 3,
}


def entry(score: float = AT_S, **changed: Any) -> SortedEntry:
    fields = {key: value for key, value in {**FIELDS, **changed}.items() if value is not None}
    return SortedEntry(json.dumps(fields, ensure_ascii=False).encode(), score, "retry")


def fits(job: JobData | None = None, **wanted: Any) -> bool:
    return Filter(**wanted).matches(job or entry())


def test_a_filter_that_says_nothing_is_every_job_even_an_unreadable_one():
    assert Filter().is_all
    assert fits()
    assert fits(SortedEntry(b"no json", 1.0, "dead"))


@pytest.mark.parametrize(
    ("option", "fitting", "other"),
    [
        ("jid", "9922ab488a26202ca88dcdde", "9922"),
        ("job_class", "app.Mail", "Mail"),
        ("error_class", "TimeoutError", "Timeout"),
        ("queue", "mail", "mai"),
        ("tag", "eu", "e"),
    ],
)
def test_a_name_must_be_the_whole_name_and_one_of_several_is_enough(option: str, fitting: str, other: str):
    assert fits(**{option: fitting})
    assert not fits(**{option: other})
    assert fits(**{option: [other, fitting]})
    assert not fits(**{option: {other}})


def test_a_class_inside_a_wrapper_is_found_by_either_name():
    wrapped = entry(**{"class": "Sidekiq::ActiveJob::Wrapper", "wrapped": "Invoice"})
    assert fits(wrapped, job_class="Invoice")
    assert fits(wrapped, job_class="Sidekiq::ActiveJob::Wrapper")


def test_error_is_a_part_of_the_message():
    assert fits(error="within 5")
    assert not fits(error="Within 5")
    assert not fits(entry(error_message=None), error="within")


def test_text_is_looked_for_in_the_stored_bytes_literally():
    assert fits(text="Grüße")
    assert fits(text='"args": [')
    assert not fits(text="Gr*e")
    assert fits(SortedEntry(b"no [json]", 1.0, "dead"), text="[json]")


def test_a_window_of_failure_holds_its_beginning_but_not_its_end():
    assert fits(failed_from=FAILED_S)
    assert not fits(failed_before=FAILED_S)
    assert fits(failed_before=FAILED_S + 0.001)
    assert not fits(failed_from=FAILED_S + 0.001)
    assert not fits(entry(failed_at=None), failed_from=0)


def test_a_failure_told_in_legacy_float_seconds_is_in_the_same_window():
    assert fits(entry(failed_at=FAILED_S + 0.5), failed_from=FAILED_S, failed_before=FAILED_S + 1)


def test_a_window_of_time_in_the_set_holds_its_beginning_but_not_its_end():
    assert fits(at_from=AT_S)
    assert not fits(at_before=AT_S)
    assert fits(at_from=AT_S - 1, at_before=AT_S + 1)
    assert fits(entry(math.inf), at_from=0)
    assert fits(entry(-math.inf), at_before=0)


def test_a_job_of_a_queue_has_no_time_in_a_set():
    queued = JobData(entry().value, "mail")
    assert not fits(queued, at_from=0)
    assert fits(queued, queue="mail")


def test_moments_may_be_aware_datetimes_of_any_zone():
    moment = datetime.fromtimestamp(AT_S, timezone(timedelta(hours=9)))
    assert fits(at_from=moment)
    assert not fits(at_before=moment.astimezone(UTC))


def test_numbers_of_retries_have_both_ends_and_a_job_that_never_failed_has_none():
    assert fits(min_retries=3, max_retries=3)
    assert not fits(min_retries=4)
    assert not fits(max_retries=2)
    assert not fits(entry(retry_count=None), min_retries=0)
    assert not fits(entry(retry_count="3"), min_retries=0)


def test_a_predicate_sees_the_entry_last():
    seen: list[Any] = []
    assert fits(predicate=lambda job: seen.append(job) or job["args"][1] == 7)
    assert not fits(queue="other", predicate=seen.append)
    assert [job.score for job in seen] == [AT_S]


def test_everything_that_is_said_must_hold():
    assert fits(job_class="app.Mail", error_class="TimeoutError", min_retries=1, tag="vip")
    assert not fits(job_class="app.Mail", error_class="KeyError", min_retries=1, tag="vip")


@pytest.mark.parametrize("option", ["jid", "job_class", "error_class", "queue", "tag"])
def test_an_unreadable_job_has_no_names(option: str):
    assert not fits(SortedEntry(b"\xff[1]", 1.0, "dead"), **{option: "x"})


def test_the_scores_worth_reading_follow_from_the_window():
    bounds = Filter(at_from=10, at_before=20).bounds
    assert [score in bounds for score in (9.99, 10.0, 19.999999999999996, 20.0)] == [False, True, True, False]
    assert math.inf in Filter().bounds


# -- what is refused, and how it is explained ---------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"jid": ""}, "Leave jid out"),
        ({"jid": []}, "Leave jid out"),
        ({"tag": ["a", ""]}, "none empty"),
        ({"queue": 5}, "a text, or a collection"),
        ({"queue": b"mail"}, "a text, or a collection"),
        ({"text": ""}, "Leave text out"),
        ({"error": b"x"}, "a text that is not empty"),
        ({"at_from": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"failed_before": date(2026, 1, 1)}, "combine it"),
        ({"at_from": True}, "aware datetime"),
        ({"at_from": math.nan}, "aware datetime"),
        ({"at_from": "2026-01-01"}, "aware datetime"),
        ({"at_from": 20, "at_before": 20}, "after at_from"),
        ({"min_retries": 1.5}, "whole number"),
        ({"max_retries": True}, "whole number"),
        ({"predicate": "x"}, "a function"),
    ],
)
def test_what_would_match_nothing_or_is_not_clear_is_refused(wanted: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        Filter(**wanted)


def test_a_name_that_is_unknown_is_answered_with_those_that_are():
    with pytest.raises(ConfigError, match=r"jid, job_class, error_class.*klass"):
        Filter.of({"klass": "app.Mail"})
    assert Filter.of({"job_class": "app.Mail"}) == Filter(job_class="app.Mail")


def test_a_filter_shows_what_it_says():
    assert repr(Filter()) == "Filter()"
    assert repr(Filter(job_class="A", min_retries=0)) == "Filter(job_class='A', min_retries=0)"


@pytest.mark.parametrize("given", [None, "app.Mail", {"job_class": "app.Mail"}])
def test_an_action_wants_to_be_told_that_every_job_is_meant(given: object):
    with pytest.raises(ConfigError, match=r"Filter\(\) is every job"):
        require(given)


# -- the entry itself ---------------------------------------------------------------------------------


def test_an_entry_has_its_time_and_its_id():
    assert entry(1795300071.5323694).id == "1795300071.5323694|9922ab488a26202ca88dcdde"
    assert entry().at.timestamp() == AT_S


@pytest.mark.parametrize(("score", "year"), [(1e300, 9999), (math.inf, 9999), (-math.inf, 1), (5, 1970)])
def test_odd_scores_have_a_time_too(score: float, year: int):
    assert entry(score).at.year == year


def test_an_unreadable_entry_shows_its_text():
    broken = SortedEntry(b"no json", 5.0, "dead")
    assert (broken.args, broken.job_class, broken.jid, broken.id) == (["no json"], "", "", "5.0|")
