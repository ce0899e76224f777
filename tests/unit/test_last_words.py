"""A pytest-xdist worker that dies, and what is printed of it: tests/support/last_words.py in a real run of pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from worker_process import clean_environment

SUPPORT = Path(__file__).parent.parent / "support"

CONFTEST = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
import last_words

last_words.STUCK_S = 1.0

def pytest_configure(config):
    config.pluginmanager.register(last_words.plugin(config))
"""

TESTS = """
import os, re, signal, threading, time

def test_killed(): os.kill(os.getpid(), signal.SIGKILL)

def test_faulty():
    import ctypes
    ctypes.string_at(0)

def test_leaves(): os._exit(3)

def test_waits_for_ever(): threading.Event().wait()

def test_is_stuck(): sum(range(10**14))  # one call in C that looks at no signal

def test_is_fine(): pass
"""


@pytest.fixture
def printed(tmp_path):
    """Runs one of TESTS in a worker; returns what pytest prints."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 2\ntimeout_method = signal\n")

    def run(test: str) -> str:
        command = [sys.executable, "-m", "pytest", "-n", "1", "--max-worker-restart=0", "-k", test]
        ended = subprocess.run(
            command, cwd=tmp_path, env=clean_environment(tmp_path), capture_output=True, text=True, check=False
        )
        return ended.stdout + ended.stderr

    return run


@pytest.mark.parametrize(
    ("test", "end"), [("killed", "signal SIGKILL"), ("faulty", "signal SIGSEGV"), ("leaves", "exit code 3")]
)
def test_how_a_dead_worker_ended_is_printed(printed, test, end):
    assert f"last words: gw0 ended with {end}" in printed(f"test_{test}")


def test_the_stack_of_a_fault_is_printed(printed):
    text = printed("test_faulty")
    assert "Fatal Python error: Segmentation fault" in text.partition("last words")[2]
    assert "in test_faulty" in text.partition("last words")[2]


def test_a_test_that_hangs_is_a_failure_with_its_stack_and_no_dead_worker(printed):
    text = printed("test_waits_for_ever")
    assert "threading.Event().wait()" in text
    assert "crashed" not in text
    assert "last words" not in text


def test_a_test_that_no_signal_can_end_is_ended_with_the_worker_and_its_stack_is_printed(printed):
    text = printed("test_is_stuck")
    assert "last words: gw0 ended with exit code 1" in text
    assert "in test_is_stuck" in text.partition("last words")[2]


def test_of_a_run_without_dead_workers_nothing_is_printed(printed):
    text = printed("test_is_fine")
    assert "1 passed" in text
    assert "last words" not in text
