"""Last words: what is known of a pytest-xdist worker that died, which xdist itself calls "crashed" and no more.

    the controller   prints, at the end of the run, how each dead worker ended (exit code or signal) and its last words
    a worker         writes the stacks of all its threads to a file of its own before it dies of a fault (SIGSEGV and
                     the like), or of a test that hangs so badly that pytest-timeout cannot end it

A test that hangs is usually ended by pytest-timeout, as a failure with its stack: that takes a signal, so the main
thread must come back to Python. STUCK_S later faulthandler's own thread ends the whole worker; it needs no Python.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pillion.server.endings import describe_end

STUCK_S = 60.0
_END_TIMEOUT_S = 10.0
_FOLDER = "last_words"


def plugin(config: pytest.Config) -> object:
    """The side of this process."""
    given = getattr(config, "workerinput", None)
    return Controller() if given is None else Worker(Path(given[_FOLDER], given["workerid"]))


class Worker:
    """In a worker. `path` is where its last words go."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        faulthandler.enable(self._fd)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        faulthandler.dump_traceback_later(_limit_s(item) + STUCK_S, exit=True, file=self._fd)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _limit_s(item: pytest.Item) -> float:
    """The time that pytest-timeout gives a test."""
    own = item.get_closest_marker("timeout")
    return float(own.args[0] if own else item.config.getoption("timeout") or item.config.getini("timeout"))


class Controller:
    """In the process that has started the workers, or that runs the tests itself."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pillion-last-words-"))
        self._dead: list[tuple[str, str]] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_FOLDER] = str(self._folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error:
            words = self._folder / node.gateway.id
            said = words.read_text(errors="replace") if words.exists() else ""
            self._dead.append((f"{node.gateway.id} ended with {_end_of(node)}", said or "It has said nothing."))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for title, text in self._dead:
            terminalreporter.section(f"last words: {title}")
            terminalreporter.write_line(text)

    def pytest_unconfigure(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _end_of(node: Any) -> str:
    """How its process has ended. execnet keeps it to itself, and has nobody else to ask."""
    try:
        return describe_end(node.gateway._io.popen.wait(_END_TIMEOUT_S))
    except (AttributeError, subprocess.TimeoutExpired) as exc:
        return f"an unknown exit code ({exc!r})"
