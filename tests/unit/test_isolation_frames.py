"""What worker, zygote and children say to each other: whole, in order, and never blocking (F066)."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.server.isolation.bell import Bell
from pillion.server.isolation.frames import MAX_BODY, Frame, Kind, Line, encode, wait_for

BODIES = st.lists(st.tuples(st.sampled_from(list(Kind)), st.binary(max_size=300)), max_size=8)


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    yield Line(one), other
    one.close()
    other.close()


@given(BODIES, st.integers(1, 40))
def test_frames_arrive_whole_however_they_are_cut(frames, step):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = Line(ours)
        data = b"".join(encode(kind, body) for kind, body in frames)
        seen: list[Frame] = []
        for at in range(0, len(data), step):
            theirs.sendall(data[at : at + step])
            seen += line.receive()
        assert [(each.kind, each.body) for each in seen] == frames


def test_a_large_frame_is_sent_as_the_other_side_reads(ends):
    line, other = ends
    body = os.urandom(3_000_000)
    line.queue(Kind.RUN, body)
    assert line.has_more
    reader = Line(other)
    seen: list[Frame] = []
    while not seen:
        line.flush()
        seen = reader.receive()
    assert seen == [Frame(Kind.RUN, body)]
    assert not line.has_more


def test_send_waits_until_all_is_sent(ends):
    line, other = ends
    seen: list[Frame] = []
    reader = threading.Thread(target=lambda: seen.extend(Line(other).wait()))
    reader.start()
    line.send(Kind.LOG, bytes(2_000_000))
    reader.join()
    assert (seen[0].kind, len(seen[0].body)) == (Kind.LOG, 2_000_000)


def test_what_a_dead_peer_would_get_is_dropped_and_its_last_words_are_read(ends):
    line, other = ends
    other.sendall(encode(Kind.DONE, b"42") + encode(Kind.LOG)[:3])
    other.close()
    line.send(Kind.RUN, bytes(3_000_000))
    assert not line.has_more
    assert line.wait() == [Frame(Kind.DONE, b"42")]
    assert line.ended
    assert line.wait() == []


def test_a_frame_that_is_too_long_ends_the_line(ends):
    line, other = ends
    other.sendall(struct.pack("!IB", MAX_BODY + 1, Kind.LOG))
    assert line.receive() == []
    assert line.ended


def test_receive_without_a_word_returns_at_once(ends):
    line, _ = ends
    assert line.receive() == []
    assert not line.ended


def test_a_peek_takes_nothing_away(ends):
    line, other = ends
    assert line.peek() == b""
    other.sendall(encode(Kind.INTERRUPT))
    assert encode(Kind.INTERRUPT) in line.peek()
    assert line.receive() == [Frame(Kind.INTERRUPT)]


def test_descriptors_above_those_of_select_can_be_waited_for():
    one, other = socket.socketpair()
    high = 1500
    os.dup2(other.fileno(), high)
    with one, other, socket.socket(fileno=high) as there:
        one.send(b"x")
        assert wait_for([there]) == {high}


def test_nothing_to_read_is_an_empty_answer_after_the_time(ends):
    assert wait_for([ends[0]], timeout_s=0.0) == set()


def test_a_bell_is_heard_once_however_often_it_was_rung():
    bell = Bell()
    for _ in range(100_000):  # more than its pipe holds
        bell.ring()
    bell.wait()
    assert wait_for([bell], timeout_s=0.0) == set()
    bell.ring()
    assert wait_for([bell], timeout_s=0.0) == {bell.fileno()}
    bell.close()
