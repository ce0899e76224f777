"""The line between supervisor and worker."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from pillion.server.children import FAILED, READY, STOPPING, Child, Link


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    one, other = Link.pair()
    yield one, other
    one.close()
    other.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[Link, Link]) -> None:
    one, other = ends
    one.send(READY, "two words")
    one.send(STOPPING)
    assert other.receive() == [(READY, "two words"), (STOPPING, "")]


def test_a_message_may_have_many_lines_and_any_letters(ends: tuple[Link, Link]) -> None:
    one, other = ends
    one.send(FAILED, "Fähre\n  sank\n")
    assert other.receive() == [(FAILED, "Fähre\n  sank\n")]


def test_receiving_does_not_wait(ends: tuple[Link, Link]) -> None:
    assert ends[0].receive() == []
    assert not ends[0].ended


def test_the_last_words_of_a_dead_process_are_still_heard(ends: tuple[Link, Link]) -> None:
    one, other = ends
    one.send(STOPPING)
    one.close()
    assert other.receive() == [(STOPPING, "")]
    assert other.ended


def test_the_end_of_the_other_side_makes_the_link_readable(ends: tuple[Link, Link]) -> None:
    one, other = ends
    assert not select.select([other], [], [], 0)[0]
    one.close()
    assert select.select([other], [], [], 0)[0]


def test_sending_to_a_dead_process_is_harmless(ends: tuple[Link, Link]) -> None:
    one, other = ends
    other.close()
    one.send(READY)


def test_a_child_remembers_why_it_failed(ends: tuple[Link, Link]) -> None:
    one, other = ends
    child = Child(1, "host:1:abc", one, 0.0)
    other.send(FAILED, "no such module")
    child.listen()
    assert child.failure == "no such module"
    assert not child.ready
