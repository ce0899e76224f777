"""From a push to a stored payload (behaviour 1.2 and 1.3, wire-format 4)."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from pillion.errors import InvalidJob
from pillion.wire.codec import dumps
from pillion.wire.payload import for_queue, for_schedule, new_jid, normalize

NOW_MS = 1795300027713
DEFAULTS = {"retry": True, "queue": "default"}


def push(item: Any, defaults: dict[str, Any] | None = None) -> dict[str, Any]:
    return normalize(
        item,
        DEFAULTS if defaults is None else defaults,
        now_ms=NOW_MS,
        new_jid=lambda: "c9f6793beefe481e912ac3a7",
    )


def refused(item: Any, **kwargs: Any) -> InvalidJob:
    with pytest.raises(InvalidJob) as caught:
        push(item, **kwargs)
    return caught.value


# -- golden vectors (wire-format 13) -------------------------------------------------------------------


def test_a_push_is_stored_as_sidekiq_stores_it() -> None:
    options = {"retry": 5, "queue": "critical", "backtrace": True, "tags": ["a"]}
    payload = push({"args": [1, "é/☃\x01"], "class": "HardJob"}, options)
    assert dumps(for_queue(payload, NOW_MS)).decode() == (
        '{"retry":5,"queue":"critical","backtrace":true,"tags":["a"],"args":[1,"é/☃\\u0001"],"class":"HardJob",'
        '"jid":"c9f6793beefe481e912ac3a7","created_at":1795300027713,"enqueued_at":1795300027713}'
    )


def test_a_scheduled_push_is_stored_without_at_and_enqueued_at() -> None:
    item = {"args": [7], "class": "OkJob", "at": 1795300071.5, "enqueued_at": 1}
    payload = push(item, {"retry": True, "queue": "single"})
    assert dumps(for_schedule(payload)).decode() == (
        '{"retry":true,"queue":"single","args":[7],"class":"OkJob","jid":"c9f6793beefe481e912ac3a7",'
        '"created_at":1795300027713}'
    )


# -- completing ------------------------------------------------------------------------------------------


def test_the_push_wins_over_the_defaults_and_keeps_their_place() -> None:
    payload = push({"class": "A", "args": [], "queue": "low", "retry": 2, "own": {"k": 1}})
    assert list(payload) == ["retry", "queue", "class", "args", "own", "jid", "created_at"]
    assert (payload["queue"], payload["retry"], payload["own"]) == ("low", 2, {"k": 1})


def test_jid_and_created_at_that_are_there_are_kept() -> None:
    payload = push({"class": "A", "args": [], "jid": "my-own-id", "created_at": 1795300000.5})
    assert (payload["jid"], payload["created_at"]) == ("my-own-id", 1795300000.5)


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_jid_is_replaced(nothing: object) -> None:
    assert push({"class": "A", "args": [], "jid": nothing})["jid"] == "c9f6793beefe481e912ac3a7"


def test_what_is_meant_for_the_pushing_process_is_dropped() -> None:
    payload = push({"class": "A", "args": [], "pool": object(), "sync": True}, {**DEFAULTS, "client_class": object})
    assert not {"pool", "sync", "client_class"} & set(payload)


def test_at_stays_for_the_middleware_to_see() -> None:
    assert push({"class": "A", "args": [], "at": 1795300071})["at"] == 1795300071


def test_the_callers_item_and_arguments_are_not_touched() -> None:
    args = [1]
    item = {"class": "A", "args": args, "sync": True}
    payload = push(item)
    payload["args"].append(2)
    assert item == {"class": "A", "args": [1], "sync": True}


def test_any_map_will_do_and_a_tuple_of_arguments_as_well() -> None:
    assert push(MappingProxyType({"class": "A", "args": (1, 2)}))["args"] == [1, 2]


def test_a_class_may_be_an_object_that_knows_its_wire_name() -> None:
    class Definition:
        wire_name = "Orders::CompleteJob"

    assert push({"class": Definition(), "args": []})["class"] == "Orders::CompleteJob"


def test_names_become_plain_strings() -> None:
    class Queues(enum.StrEnum):
        HIGH = "high"

    payload = push({"class": "A", "args": [], "queue": Queues.HIGH})
    assert type(payload["queue"]) is str


@pytest.mark.parametrize(("given", "stored"), [(60, 60), (90.7, 90), (timedelta(hours=1), 3600), (None, None)])
def test_retry_for_is_stored_in_whole_seconds(given: object, stored: object) -> None:
    assert push({"class": "A", "args": [], "retry_for": given})["retry_for"] == stored


@pytest.mark.parametrize("tags", [["b", "a"], ("b", "a")])
def test_tags_are_stored_as_a_list(tags: object) -> None:
    assert push({"class": "A", "args": [], "tags": tags})["tags"] == ["b", "a"]


def test_a_set_of_tags_is_stored_in_a_fixed_order() -> None:
    assert push({"class": "A", "args": [], "tags": {"c", "a", "b"}})["tags"] == ["a", "b", "c"]


def test_a_new_jid_is_24_lower_case_hex_digits_and_no_other_is_like_it() -> None:
    jids = {new_jid() for _ in range(1000)}
    assert len(jids) == 1000
    assert all(len(jid) == 24 and set(jid) <= set("0123456789abcdef") for jid in jids)


# -- checking: a row for each of behaviour 1.3 -------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "field", "says"),
    [
        (["A", []], "item", "must be a map"),
        ("A", "item", "must be a map"),
        ({}, "class", "class is missing, got nothing"),
        ({"args": []}, "class", "class is missing"),
        ({"class": "A"}, "args", "args is missing"),
        ({"class": "A", "args": [], 7: 1}, "item", r"keys must be strings, got 7 \(int\)"),
        ({"class": "A", "args": "x"}, "args", "expected a list"),
        ({"class": "A", "args": 1}, "args", r"\[42\]"),
        ({"class": "A", "args": {"a": 1}}, "args", "expected a list"),
        ({"class": "A", "args": None}, "args", "expected a list"),
        ({"class": "", "args": []}, "class", "expected a job class or its name"),
        ({"class": 7, "args": []}, "class", "expected a job class or its name"),
        ({"class": ValueError, "args": []}, "class", "ancestors: ValueError, Exception, BaseException, object"),
        ({"class": "A", "args": [], "at": "soon"}, "at", "epoch seconds"),
        ({"class": "A", "args": [], "at": None}, "at", "Leave the key out"),
        ({"class": "A", "args": [], "at": True}, "at", "epoch seconds"),
        ({"class": "A", "args": [], "at": math.inf}, "at", "epoch seconds"),
        ({"class": "A", "args": [], "tags": "billing"}, "tags", "expected a list"),
        ({"class": "A", "args": [], "tags": None}, "tags", "expected a list"),
        ({"class": "A", "args": [], "retry_for": 1_000_000_001}, "retry_for", "not a point in time"),
        ({"class": "A", "args": [], "retry_for": "1h"}, "retry_for", "timedelta"),
        ({"class": "A", "args": [], "retry_for": math.nan}, "retry_for", "timedelta"),
        ({"class": "A", "args": [], "queue": ""}, "queue", "name of a queue"),
        ({"class": "A", "args": [], "queue": None}, "queue", "name of a queue"),
        ({"class": "A", "args": [], "queue": 7}, "queue", "name of a queue"),
        ({"class": "A", "args": [], "jid": 7}, "jid", "expected text"),
    ],
)
def test_a_job_that_cannot_be_right_is_refused_by_field(item: Any, field: str, says: str) -> None:
    error = refused(item)
    assert error.field == field
    with pytest.raises(InvalidJob, match=says):
        raise error


def test_a_retry_for_of_exactly_the_limit_is_allowed() -> None:
    assert push({"class": "A", "args": [], "retry_for": 1_000_000_000})["retry_for"] == 1_000_000_000


def test_without_a_queue_from_anywhere_the_job_is_refused() -> None:
    assert refused({"class": "A", "args": []}, defaults={}).field == "queue"


# -- storing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", [lambda payload: for_queue(payload, NOW_MS), for_schedule])
def test_storing_leaves_the_payload_of_the_middleware_alone(store: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    payload = {"class": "A", "at": 5, "enqueued_at": 6}
    assert "at" not in store(payload)
    assert payload == {"class": "A", "at": 5, "enqueued_at": 6}


def test_enqueued_at_is_renewed_where_it_stands() -> None:
    stored = for_queue({"enqueued_at": 1795300000.5, "class": "A"}, NOW_MS)
    assert list(stored.items()) == [("enqueued_at", NOW_MS), ("class", "A")]
