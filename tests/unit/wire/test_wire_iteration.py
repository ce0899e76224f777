"""The hash of an iterable job, read and written (wire-format 10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.errors import ConfigError, DecodeError
from pillion.wire.iteration import IterationState, cursor_text, read_cursor, read_state, runtime_text

CURSORS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé☃\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)


def test_the_vectors():
    fields = {"ex": b"1", "c": b"28", "rt": b"14.018299347000038"}
    assert read_state(fields) == IterationState(1, 14.018299347000038, 28, None)
    assert (cursor_text(28), runtime_text(14.018299347000038)) == (b"28", "14.018299347000038")
    assert (cursor_text(None), runtime_text(0), runtime_text(0.0)) == (b"null", "0", "0")


def test_any_field_may_be_missing_or_damaged():
    assert read_state({}) == IterationState(0, 0.0, None, None)
    assert read_state({"cancelled": b"7"}) == IterationState(0, 0.0, None, 7)
    assert read_state({"ex": b"", "rt": b"inf", "c": b"{", "cancelled": b"x"}) == IterationState(0, 0.0, "{", 0)


def test_a_job_does_not_go_on_from_a_cursor_that_is_no_json():
    with pytest.raises(DecodeError):
        read_cursor({"c": b"{"})


@given(CURSORS)
def test_a_cursor_comes_back_as_it_was(cursor):
    assert read_cursor({"c": cursor_text(cursor)}) == cursor


@pytest.mark.parametrize("cursor", [(1, 2), {1}, object(), float("nan"), {1: 2}, [b"x"]])
def test_a_cursor_that_would_not_come_back_is_refused(cursor):
    with pytest.raises(ConfigError, match="cursor: expected plain JSON"):
        cursor_text(cursor)
