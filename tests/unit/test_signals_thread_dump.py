"""The thread dump of SIGTTIN."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pillion.server.thread_dump import NO_STACK, describe_threads, dump_threads


@pytest.fixture
def waiting_thread() -> Iterator[threading.Thread]:
    entered, leave = threading.Event(), threading.Event()

    def wait_for_the_ferry() -> None:
        entered.set()
        leave.wait()

    thread = threading.Thread(target=wait_for_the_ferry, name="ferryman")
    thread.start()
    entered.wait()
    yield thread
    leave.set()
    thread.join()


def test_each_thread_is_named_with_its_stack(waiting_thread: threading.Thread) -> None:
    [text] = [text for text in dump_threads() if text.startswith(f"Thread {waiting_thread.native_id} ferryman\n")]
    assert "wait_for_the_ferry" in text


def test_a_thread_without_a_frame_gets_a_placeholder() -> None:
    [text] = describe_threads([threading.Thread(name="unborn")], {})
    assert text.splitlines() == ["Thread None unborn", NO_STACK]


def test_a_frame_without_a_thread_object_is_shown_too(waiting_thread: threading.Thread) -> None:
    import sys

    frame = sys._current_frames()[waiting_thread.ident or 0]
    [text] = describe_threads([], {7: frame})
    assert text.startswith("Thread 7 (not started by Python)\n")
    assert "wait_for_the_ferry" in text
