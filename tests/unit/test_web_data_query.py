"""What a filter says, and how it is looked for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.api.record import JobData
from pillion.web.data.query import quoted, read_query, ways
from pillion.web.data.visible import Visible


def job(**item: object) -> Visible:
    return Visible(JobData(json.dumps({"class": "app.Job", "args": [], "jid": "j", **item}).encode()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("timeout", (("text", "timeout"),)),
        ("Timeout::Error", (("text", "Timeout::Error"),)),
        ('"two words" three', (("text", "two words"), ("text", "three"))),
        ('class:Mail error:"not found"', (("class", "Mail"), ("error", "not found"))),
        ("http://x.example/?a=b", (("text", "http://x.example/?a=b"),)),
        ("class:", (("text", "class:"),)),
        ('"', ()),
        ('error:"not closed', (("error", "not closed"),)),
        ('args:"say \\"hi\\""', (("args", 'say "hi"'),)),
        ("try>=3 tries<9 try:4", (("tries", ">=3"), ("tries", "<9"), ("tries", "4"))),
        ("foo:bar", (("text", "foo:bar"),)),
        ("group:abc", (("group", "abc"),)),
    ],
)
def test_words_are_told_apart(text: str, words: tuple[tuple[str, str], ...]) -> None:
    assert read_query(text).words == words


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    read_query(text).matches(job())


@given(st.text(min_size=1, max_size=50).filter(str.strip))
def test_a_quoted_text_comes_back_as_it_was(text: str) -> None:
    assert read_query(quoted("error", text)).words == (("error", text),)


@given(st.text(min_size=1, max_size=30).filter(str.strip))
def test_whatever_fits_is_not_left_out_by_redis(text: str) -> None:
    """One of the ways to write it occurs in the stored bytes of each writer."""
    for stored in (
        json.dumps([text], ensure_ascii=False, separators=(",", ":")),
        json.dumps([text], separators=(",", ":")),
    ):
        value = stored.encode("utf-8", "replace")
        assert any(way in value for way in ways(text.encode("utf-8", "replace").decode()))


def test_no_more_than_20_words_count() -> None:
    query = read_query(" ".join(f"w{n}" for n in range(30)))
    assert len(query.words) == 20
    assert query.misread == ("Only the first 20 words count.",)


def test_a_text_is_found_in_class_arguments_error_and_tags() -> None:
    query = read_query("needle")
    for item in ({"class": "a.needle"}, {"args": ["needle"]}, {"error_class": "needle"}, {"tags": ["needle"]}):
        assert query.matches(job(**item))
    assert not query.matches(job(other="needle"))


def test_upper_and_lower_case_are_told_apart() -> None:
    assert not read_query("class:app.job").matches(job())
