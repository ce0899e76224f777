"""Places in a sorted set: bounds and cursors as values. That walking is exact is shown on a real set in tests/redis."""

from __future__ import annotations

import math

import pytest

from pillion.api.ranking import Bounds, Cursor, order_of
from pillion.errors import ConfigError
from pillion.storage.ops.sets import Scored, literal


def test_scored_members_sort_as_redis_sorts_them():
    members = [Scored(1.0, b"b"), Scored(1.0, b"a\xff"), Scored(1.0, b"a"), Scored(-math.inf, b"z"), Scored(0.5, b"")]
    assert sorted(members) == [(-math.inf, b"z"), (0.5, b""), (1.0, b"a"), (1.0, b"a\xff"), (1.0, b"b")]


def test_a_walk_without_bounds_begins_at_the_start():
    assert Bounds().cursor("asc") is None
    assert Bounds().cursor("desc") is None
    assert Bounds(high=5.0).cursor("asc") is None
    assert Bounds(low=5.0).cursor("desc") is None


def test_a_walk_with_bounds_begins_before_all_that_have_the_first_score():
    up, down = Bounds(5.0, 9.0).cursor("asc"), Bounds(5.0, 9.0).cursor("desc")
    assert up is not None
    assert down is not None
    assert Scored(4.999999999999999, b"\xff") < up.anchor < Scored(5.0, b"\x00")
    assert Scored(9.0, b"\xff" * 99) < down.anchor <= Scored(9.000000000000002, b"")


def test_bounds_hold_both_their_ends():
    assert [score in Bounds(5.0, 9.0) for score in (4.9, 5.0, 9.0, 9.1)] == [False, True, True, False]


def test_a_cursor_knows_what_was_passed():
    assert Cursor(5.0, b"x", 3).anchor == Scored(5.0, b"x")


@pytest.mark.parametrize("text", [b"*", b"a?c", b"[a-z]", b"\\", b"^", b"\xff", b"plain"])
def test_a_literal_pattern_escapes_what_a_glob_would_read_otherwise(text: bytes):
    pattern = literal(text)
    assert pattern.replace(b"\\\\", b"\0").replace(b"\\", b"").replace(b"\0", b"\\") == text
    assert (pattern == text) == (not set(text) & set(rb"\*?[]^"))


def test_an_unknown_order_is_explained():
    assert (order_of("asc"), order_of("desc")) == ("asc", "desc")
    with pytest.raises(ConfigError, match='"asc"'):
        order_of("up")
