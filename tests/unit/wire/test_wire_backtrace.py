"""Compressed backtraces of every Sidekiq version (wire-format 5.2)."""

from __future__ import annotations

import base64
import textwrap
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.wire.backtrace import MAX_INFLATED_BYTES, compress, expand

# From the golden failure in wire-format 13, written by Sidekiq 8.1.7.
RUBY = (
    "eJx1zLEKhDAMANBfkS4uYsBFcfQ3RLxrjRCrTUws3OeLt7s/3ujgOgQsmmCoOaSBMmhO8BWp1fdtT6n4COrKepSueuMWd/JgtGCkE0Q5oBnrUzRN"
    "90/whyFfOG/sSzfdPnErIA=="
)
RUBY_LINES = [
    "/tmp/skspec.ocnBiu/run/app.rb:7:in `perform'",
    "/tmp/skspec.ocnBiu/run/sklib/sidekiq/processor.rb:228:in `execute_job'",
]


def packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw)).decode()


def test_rubys_backtrace_is_read() -> None:
    assert expand(RUBY) == RUBY_LINES


def test_ours_inflates_to_the_same_compact_json_as_rubys() -> None:
    ours, rubys = (zlib.decompress(base64.b64decode(text, validate=True)) for text in (compress(RUBY_LINES), RUBY))
    assert ours == rubys


def test_the_base64_is_one_line_with_padding() -> None:
    text = compress([f"app.py:{line}:in perform" for line in range(500)])
    assert "\n" not in text
    assert len(text) % 4 == 0


def test_lines_wrapped_at_60_characters_are_read_as_from_6_0_1_to_7_2_1() -> None:
    assert expand("\n".join(textwrap.wrap(RUBY, 60)) + "\n") == RUBY_LINES


def test_a_plain_list_is_read_as_before_6_0_1() -> None:
    assert expand(["app.rb:1", "app.rb:2"]) == ["app.rb:1", "app.rb:2"]


@pytest.mark.parametrize(
    "broken",
    [None, 5, "", "not base64!", "eJx", RUBY[:40], packed(b"not json"), packed(b'{"a":1}'), packed(b"[\xff]"), {}],
)
def test_what_cannot_be_read_gives_no_lines(broken: object) -> None:
    assert expand(broken) == []


def test_a_text_that_inflates_without_end_is_not_followed() -> None:
    bomb = packed(b'["' + b"x" * MAX_INFLATED_BYTES + b'"]')
    assert len(bomb) < 100_000
    assert expand(bomb) == []


def test_a_path_that_is_not_unicode_does_not_stop_the_record() -> None:
    assert expand(compress(["/srv/\udcff/app.py:1:in perform"])) == ["/srv/\ufffd/app.py:1:in perform"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_lines_come_back(lines: list[str]) -> None:
    assert expand(compress(lines)) == lines
