"""Strict arguments (behaviour 1.6): what JSON would change is refused where the job is pushed."""

from __future__ import annotations

import enum
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.errors import ComplexArgument
from pillion.wire.codec import dumps, loads
from pillion.wire.strict import check_args, find_complex


class Name(str):
    pass


class Count(int):
    pass


class Colour(enum.StrEnum):
    RED = "red"


class Order:
    pass


class Detached:
    def __repr__(self) -> str:
        raise RuntimeError("detached from its session")


ALLOWED = ["text", 7, 1.5, True, False, None, [], {}, [1, [2, {"a": None}]], {"a": {"b": [1.0]}}, 2**70]
REFUSED = [
    (1, 2),
    {1},
    frozenset(),
    b"raw",
    datetime(2026, 11, 21, tzinfo=UTC),
    date(2026, 11, 21),
    timedelta(1),
    Decimal("1.5"),
    UUID(int=1),
    Name("x"),
    Count(1),
    Colour.RED,
    OrderedDict(a=1),
    float("nan"),
    float("-inf"),
    Order(),
    Detached(),
    print,
]


@pytest.mark.parametrize("value", ALLOWED)
def test_plain_json_values_are_allowed(value: object) -> None:
    assert find_complex(value) is None
    check_args([value], "Mailer", "raise")


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_everything_else_is_refused_also_deep_inside(value: object) -> None:
    for args in ([value], ["ok", {"a": [value]}]):
        with pytest.raises(ComplexArgument) as caught:
            check_args(args, "Mailer", "raise")
        assert caught.value.field == "args"
        assert type(value).__qualname__ in str(caught.value)


def test_the_first_offender_is_named_with_its_place() -> None:
    offender = find_complex([1, {"when": [0, {2}], "later": (1,)}])
    assert offender is not None
    assert (offender.path, offender.value) == ("[1]['when'][1]", {2})


def test_of_a_map_with_a_key_that_is_no_string_the_key_is_the_offender() -> None:
    offender = find_complex({"ok": (1,), 7: "x"})
    assert offender is not None
    assert (offender.value, offender.is_key) == (7, True)
    with pytest.raises(ComplexArgument, match=r"args\[0\] has the key 7 \(int\)"):
        check_args([{7: "x"}], "Mailer", "raise")


def test_the_message_names_the_job_and_says_what_to_do() -> None:
    with pytest.raises(ComplexArgument) as caught:
        check_args([1, date(2026, 11, 21)], "billing.Charge", "raise")
    message = str(caught.value)
    assert message.startswith("billing.Charge: ")
    assert "args[1] is datetime.date(2026, 11, 21) (date)" in message
    assert "isoformat()" in message
    assert "config.strict_args" in message


def test_warn_writes_one_line_to_stderr_and_lets_the_job_pass(capsys: pytest.CaptureFixture[str]) -> None:
    check_args([(1, 2)], "Mailer", "warn")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "Mailer" in lines[0]
    assert "args[0] is (1, 2) (tuple)" in lines[0]


def test_false_checks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    check_args([(1, 2), Order()], "Mailer", False)
    assert capsys.readouterr().err == ""


def test_a_value_that_contains_itself_ends_the_search() -> None:
    value: list[Any] = []
    value.append(value)
    assert find_complex(value) is None  # the codec refuses it, for its depth


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.tuples(st.integers()) | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(JSON_LIKE)
def test_whatever_passes_comes_out_of_json_unchanged(value: object) -> None:
    if find_complex(value) is None:
        assert repr(loads(dumps(value))) == repr(value)
