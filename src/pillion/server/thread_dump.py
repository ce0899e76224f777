"""Thread dump: what each thread is doing right now, for SIGTTIN."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from types import FrameType

NO_STACK = "<no stack available>"


def describe_threads(threads: Iterable[threading.Thread], frames: Mapping[int, FrameType]) -> list[str]:
    """One text for each thread: its id and name, then its stack, outermost call first.

    Parameters: `frames` maps thread ident to the frame it is in. A thread without one (it has just
    ended, or not begun) gets a placeholder. Frames without a thread are those of threads that C code started.
    """
    known = {thread.ident: thread for thread in threads}
    texts = [_describe(thread, frames.get(thread.ident or 0)) for thread in known.values()]
    strangers = [ident for ident in frames if ident not in known]
    return texts + [f"Thread {ident} (not started by Python)\n{_stack(frames[ident])}" for ident in strangers]


def dump_threads() -> list[str]:
    """`describe_threads` for this process."""
    # pyright calls it private; CPython documents it as the way to find deadlocks
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
    return describe_threads(threading.enumerate(), frames)


def _describe(thread: threading.Thread, frame: FrameType | None) -> str:
    return f"Thread {thread.native_id} {thread.name}\n{_stack(frame)}"


def _stack(frame: FrameType | None) -> str:
    return NO_STACK if frame is None else "".join(traceback.format_stack(frame)).rstrip()
