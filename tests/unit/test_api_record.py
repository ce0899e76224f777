"""A job's bytes, read with all patience: nothing in a payload can make a listing fail (wire-format 4 and 15)."""

import json
import zlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.api.record import JobData

NOW_S = 1795300100.5
PROPERTIES = [name for name, value in vars(JobData).items() if not name.startswith("_") and not callable(value)]


def data(**fields) -> JobData:
    return JobData(json.dumps(fields).encode())


# -- what it says ----------------------------------------------------------------------------------


def test_a_jobs_fields_are_read():
    job = data(jid="a1", **{"class": "app.Mail"}, args=[1], queue="mail", bid="b1", tags=["x"], retry_count=2)
    assert (job.jid, job.job_class, job.args, job.queue) == ("a1", "app.Mail", [1], "mail")
    assert (job.bid, job.tags, job.retry_count, job["retry_count"], job["none"]) == ("b1", ["x"], 2, 2, None)
    assert job.is_readable


def test_the_queue_it_lies_in_goes_before_the_one_it_names():
    assert JobData(b'{"queue":"mail"}', "low").queue == "low"
    assert data(queue="mail").queue == "mail"


def test_bytes_are_kept_exactly():
    value = b'{ "jid" : "a" }'
    assert JobData(value).value is value


def test_a_wrapped_job_shows_what_is_inside():
    job = data(**{"class": "Sidekiq::ActiveJob::Wrapper"}, wrapped="CleanUp", args=[{"arguments": [1]}])
    assert (job.display_class, job.display_args) == ("CleanUp", [1])
    assert (job.job_class, job.args) == ("Sidekiq::ActiveJob::Wrapper", [{"arguments": [1]}])


def test_a_failure_is_read():
    lines = ["app.py:1", "lib.py:2"]
    packed = b64encode(zlib.compress(json.dumps(lines).encode())).decode()
    job = data(error_class="KeyError", error_message="no such key", error_backtrace=packed)
    assert (job.error_class, job.error_message, job.error_backtrace) == ("KeyError", "no such key", lines)
    assert (data().error_class, data().error_message, data().error_backtrace) == (None, None, [])


# -- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["created_at", "enqueued_at", "failed_at", "retried_at"])
def test_integers_are_milliseconds_and_floats_are_seconds(field):
    assert getattr(data(**{field: 1795300027713}), field) == 1795300027.713
    assert getattr(data(**{field: 1795300027.5}), field) == 1795300027.5
    assert getattr(data(), field) is None


def test_a_job_that_does_not_say_when_it_was_pushed_was_pushed_when_it_was_queued():
    assert data(enqueued_at=1.5).created_at == 1.5


def test_waiting_counts_from_when_it_was_queued_else_from_when_it_was_pushed():
    assert data(created_at=NOW_S - 60, enqueued_at=NOW_S - 5).waited_s(NOW_S) == 5
    assert data(created_at=NOW_S - 60).waited_s(NOW_S) == 60
    assert data().waited_s(NOW_S) == 0.0


def test_a_job_from_the_future_has_not_waited():
    assert data(enqueued_at=NOW_S + 60).waited_s(NOW_S) == 0.0


def test_a_job_queued_at_the_beginning_of_time_has_waited_since():
    assert data(enqueued_at=0.0, created_at=NOW_S).waited_s(NOW_S) == NOW_S


# -- what is no job ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"not json", b"", b"[1]", b"null", b"{", b"\xff\xfe", b"[" * 200, b'{"a":NaN}'])
def test_bytes_that_are_no_job_are_shown_as_text(value):
    job = JobData(value, "mail")
    assert not job.is_readable
    assert (job.item, job.args, job.display_args) == ({}, [value.decode(errors="replace")], job.args)
    assert (job.jid, job.job_class, job.queue, job.tags, job.bid) == ("", "", "mail", [], None)


def test_an_empty_map_is_no_job_either():
    assert not JobData(b"{}").is_readable
    assert JobData(b"{}").args == ["{}"]


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
known_keys = [
    *("class", "args", "jid", "queue", "bid", "tags", "created_at", "enqueued_at", "failed_at", "retried_at"),
    *("retry_count", "error_class", "error_message", "error_backtrace", "wrapped", "display_class", "encrypt"),
]


@given(st.dictionaries(st.sampled_from(known_keys), hostile))
def test_no_value_of_any_type_raises(item):
    job = JobData(json.dumps(item).encode())
    for name in PROPERTIES:
        getattr(job, name)
    assert job.waited_s(NOW_S) >= 0.0
    assert repr(job).startswith("<JobData")
    assert all(isinstance(tag, str) for tag in job.tags)


@given(st.binary(max_size=40))
def test_no_bytes_at_all_raise(value):
    job = JobData(value)
    for name in PROPERTIES:
        getattr(job, name)
    assert repr(job)


@pytest.mark.parametrize("count", [True, "3", 2.5, None])
def test_a_retry_count_that_is_none_is_none(count):
    assert data(retry_count=count).retry_count is None


# -- being compared ----------------------------------------------------------------------------------


def test_jobs_with_the_same_bytes_are_equal():
    assert JobData(b"{}") == JobData(b"{}", "mail") != JobData(b"{ }")
    assert len({JobData(b"{}"), JobData(b"{}")}) == 1


def test_a_job_and_a_kind_of_job_are_not_equal():
    class Entry(JobData):
        pass

    assert Entry(b"{}") != JobData(b"{}")


def test_it_shows_its_class_and_jid():
    assert repr(data(jid="a1", **{"class": "app.Mail"})) == "<JobData app.Mail a1>"
    assert repr(JobData(b"x")) == "<JobData unreadable job>"
