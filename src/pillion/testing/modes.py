"""The modes of testing: fake, inline, disabled. Each swaps the clients of a home; nothing is patched.

Design record. While any mode is in use, the home (`pillion.default`) hands out clients made here. They
are the real clients, told for each push where it goes: into memory, into a run, or to Redis. Which of
these it is depends on who pushes:

- the innermost `with testing.fake():` and so on that *this* thread or asyncio task is in. It is kept in a
  context variable, so a task takes the mode of the one that made it, `asyncio.to_thread` as well, and
  no other thread or task sees it;
- else the last mode that was entered with `everywhere=True`: for threads that a test starts, pools, and a
  web framework's own event loop. The pytest plugin uses this one;
- else the real thing.

Each fake mode has queues, a clock and a middleware chain of its own, so tests do not see each other's jobs.
Inline mode looks at the queues of the mode around it. When the last mode ends, the home's own clients are
back, as they were, still connected.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from pillion import default
from pillion.client import AsyncClient, Client
from pillion.config import Config
from pillion.errors import NotTesting
from pillion.testing.clients import TestedAsyncClient, TestedClient
from pillion.testing.mode import Mode, ModeName, SwappableHome

_entered: ContextVar[Mode | None] = ContextVar("pillion_testing_mode", default=None)
_swapping = threading.Lock()


class Switchboard:
    """Makes the clients of one home for as long as it has a mode, and knows which mode is whose."""

    def __init__(self, home: SwappableHome) -> None:
        self._home = home
        self.modes_in_use = 0
        self.everywhere: list[Mode] = []

    def mode(self) -> Mode | None:
        """The mode of this thread or task."""
        mode = _entered.get()
        while mode is not None and (mode.is_over or mode.home is not self._home):
            mode = mode.outer
        if mode is None and self.everywhere:
            return self.everywhere[-1]
        return mode

    def now_s(self) -> float:
        """The time, in epoch seconds, as this thread or task has it."""
        mode = self.mode()
        return time.time() if mode is None or mode.name == "disabled" else mode.clock.now_s()

    def client(self, config: Config) -> Client:
        """A client for threads."""
        return TestedClient(self._home, self, config)

    def async_client(self, config: Config) -> AsyncClient:
        """A client for asyncio."""
        return TestedAsyncClient(self._home, self, config)


@contextmanager
def entered(name: ModeName, home: SwappableHome | None = None, *, everywhere: bool = False) -> Generator[Mode]:
    """Be in a mode inside the block."""
    used: SwappableHome = home or default.Job.__home__  # type: ignore[assignment]  # it is pillion.default's own
    board = _board_of(used)
    mode = Mode(name, used, board.mode())
    token = None if everywhere else _entered.set(mode)
    if everywhere:
        board.everywhere.append(mode)
    try:
        yield mode
    finally:
        mode.is_over = True
        if token is None:
            board.everywhere.remove(mode)
        else:
            with suppress(ValueError):  # an async fixture may end in another context than it began in
                _entered.reset(token)
        _leave(used, board)


def _board_of(home: SwappableHome) -> Switchboard:
    with _swapping:
        board = home.stand_ins
        if not isinstance(board, Switchboard):
            board = Switchboard(home)
            home.stand_in(board)
        board.modes_in_use += 1
        return board


def _leave(home: SwappableHome, board: Switchboard) -> None:
    with _swapping:
        board.modes_in_use -= 1
        if not board.modes_in_use:
            home.stand_in(None)


def current(home: Any = None) -> Mode:
    """The mode of this thread or task. Raises NotTesting if it is in none, or in one that uses Redis."""
    used = home or default.Job.__home__
    board = getattr(used, "stand_ins", None)
    mode = board.mode() if isinstance(board, Switchboard) else None
    if mode is None or mode.name == "disabled":
        raise NotTesting(NO_MODE)
    return mode


NO_MODE = (
    "There are no fake jobs to look at: this thread or task pushes to Redis. Use `with pillion.testing.fake():`, or "
    "with pytest the fixture `pillion_fake` or the setting `pillion_mode = fake`. A thread that was started inside of "
    "such a block is not in it, unless that says everywhere=True."
)
