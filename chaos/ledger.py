"""The ledger: what every process did, in files outside Redis, one file for each process: FAMILY-PID.txt.

A line is written in one write with O_APPEND, before (`start`) or after (`end`) the deed: a kill can cut off a
process between two lines, never within one. Times are of CLOCK_MONOTONIC, which all processes of a machine share.

    TIME start|end|fail|cut|exit PID JID ATTEMPT GENERATION     a run of a job; `cut`: Shutdown was raised in it
    TIME try|ok|no|again PID JID QUEUE CLASS                    a push: before, returned, raised, sent twice
"""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

FOLDER_VARIABLE = "CHAOS_LEDGER"
FAMILY_VARIABLE = "CHAOS_FAMILY"
NO_FAMILY = "python"
RUN_EVENTS = frozenset({"start", "end", "fail", "cut", "exit"})


class Writer:
    """The file of this process. Opened at the first line, so that a fork of the process gets its own."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._file: tuple[int, int] | None = None  # process id, descriptor

    def note(self, *words: object) -> None:
        """Write one line; it is in the file when this returns."""
        pid = os.getpid()
        if self._file is None or self._file[0] != pid:
            name = f"{os.environ.get(FAMILY_VARIABLE, NO_FAMILY)}-{pid}.txt"
            path = Path(self._folder or os.environ[FOLDER_VARIABLE]) / name
            self._file = pid, os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
        what, *rest = words
        line = " ".join(map(str, (f"{time.monotonic():.6f}", what, pid, *rest)))
        os.write(self._file[1], f"{line}\n".encode())


class Key(NamedTuple):
    """One turn of a job, which is to be settled once. `generation` counts retries by hand, which repeat an attempt."""

    jid: str
    attempt: int
    generation: int


@dataclass(slots=True)
class Turn:
    """One run of a Key by one process. `closed_at` None: no line after its start."""

    key: Key
    pid: int
    started_at: float
    closed_at: float | None = None
    how: str = ""  # end, fail, cut, exit


@dataclass(slots=True)
class Push:
    """What a producer knows of one job. `sent_twice`: its connection broke before the reply, so it was sent again."""

    jid: str
    queue: str
    job: str
    tried_at: float
    ok: bool = False
    sent_twice: bool = False


class Books:
    """The ledger as read at one moment."""

    def __init__(self, folder: Path) -> None:
        self.turns: list[Turn] = []
        self.pushes: dict[str, Push] = {}
        self.families: dict[int, str] = _families(folder)
        # A process that begins a turn twice has two of them open: each is to come to an end of its own.
        self._open: defaultdict[tuple[Key, int], deque[Turn]] = defaultdict(deque)
        for line in sorted(_lines(folder), key=lambda words: float(words[0])):
            self._enter(line)

    @cached_property
    def ended(self) -> set[str]:
        """The jobs that have come to a good end."""
        return {turn.key.jid for turn in self.turns if turn.how == "end"}

    def _enter(self, words: list[str]) -> None:
        at, what, pid, jid = float(words[0]), words[1], int(words[2]), words[3]
        if what not in RUN_EVENTS:
            push = self.pushes.setdefault(jid, Push(jid, words[4], words[5], at))
            push.ok = push.ok or what == "ok"
            push.sent_twice = push.sent_twice or what == "again"
            return
        key = Key(jid, int(words[4]), int(words[5]))
        if what == "start":
            turn = Turn(key, pid, at)
            self._open[key, pid].append(turn)
            self.turns.append(turn)
        elif self._open[key, pid]:
            turn = self._open[key, pid].popleft()
            turn.closed_at, turn.how = at, what


def _families(folder: Path) -> dict[int, str]:
    """Of the processes that have written: the driver does not see all that come and go."""
    names = [path.stem.rpartition("-") for path in folder.glob("*.txt")]
    return {int(pid): family for family, _, pid in names if family != NO_FAMILY}


def _lines(folder: Path) -> Iterator[list[str]]:
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield line.split()
