"""Processes that live and end together: whom the second Ctrl-C kills."""

import os
import signal
import subprocess
import sys

import pytest

from shop.processes import _kill_all_of


@pytest.fixture
def killed(monkeypatch):
    """The process groups that were killed."""
    groups = []
    killpg = os.killpg
    monkeypatch.setattr(os, "killpg", lambda group, number: (groups.append(group), killpg(group, number)))
    return groups


def test_it_kills_one_that_lives(killed):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
    _kill_all_of(sleeper)
    assert sleeper.wait() == -signal.SIGKILL
    assert killed == [sleeper.pid]


def test_it_leaves_the_number_of_one_that_has_ended_alone(killed):
    ended = subprocess.Popen([sys.executable, "-c", ""], process_group=0)
    ended.wait()
    _kill_all_of(ended)  # the number may be that of strangers by now
    assert killed == []
