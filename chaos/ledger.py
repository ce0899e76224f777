"""The ledger: what every process did, in files outside Redis, one file for each process.

A line is written in one write with O_APPEND, before (`start`) or after (`end`) the deed: a kill can cut off a
process between two lines, never within one. Times are of CLOCK_MONOTONIC, which all processes of a machine share.

    TIME start|end|fail|cut|exit PID JID ATTEMPT GENERATION     a run of a job; `cut`: Shutdown was raised in it
    TIME try|ok|no|again PID JID QUEUE CLASS                    a push: before, returned, raised, sent twice
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

FOLDER_VARIABLE = "CHAOS_LEDGER"
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
            path = Path(self._folder or os.environ[FOLDER_VARIABLE]) / f"python-{pid}.txt"
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
        self._open: dict[tuple[Key, int], Turn] = {}
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
            turn = self._open[key, pid] = Turn(key, pid, at)
            self.turns.append(turn)
        elif (key, pid) in self._open:
            turn = self._open.pop((key, pid))
            turn.closed_at, turn.how = at, what


def _lines(folder: Path) -> Iterator[list[str]]:
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield line.split()
