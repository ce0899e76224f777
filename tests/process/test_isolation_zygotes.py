"""The zygote, from which child processes come: its death, its parent, its process group (F066)."""

from __future__ import annotations

from pathlib import Path

import pytest
from isolation_scene import FAMILY, kill, scenes, wait_gone
from worker_process import wait_until

from pillion.errors import ChildDied

APP = FAMILY


@pytest.fixture
def scene(tmp_path, monkeypatch):
    yield from scenes(tmp_path, monkeypatch)


def test_a_killed_zygote_takes_its_children_along_and_the_next_job_gets_new_ones(scene):
    scene = scene(APP)
    result = scene.begin("Hold", "a")
    pid = scene.pid_of("a")
    zygote = scene.zygote_of(pid)
    kill(zygote)
    assert type(result.wait()) is ChildDied
    wait_gone(pid)
    scene.run("Note", "next")


def test_what_the_children_of_a_killed_zygote_have_started_is_killed(scene):
    scene = scene(APP)
    result = scene.begin("Family")
    zygote = scene.zygote_of(scene.pid_of("family"))
    sleeper = next(int(line.split()[1]) for line in scene.ledger.lines if line.startswith("sleeper"))
    kill(zygote)
    assert type(result.wait()) is ChildDied
    wait_gone(sleeper)


def test_a_zygote_outlives_the_thread_that_has_started_it(scene):
    scene = scene(APP)
    first = scene.begin("Hold", "a")
    zygote = scene.zygote_of(scene.pid_of("a"))
    scene.ledger.open("a")
    assert first.wait() is None
    task = Path(f"/proc/self/task/{first._thread.native_id}")
    wait_until(lambda: not task.exists(), "the end of the thread, for the kernel as well")
    both = [scene.begin("Hold", "b"), scene.begin("Hold", "c")]  # one in the child there is, and one that is born now
    assert {scene.zygote_of(scene.pid_of("b")), scene.zygote_of(scene.pid_of("c"))} == {zygote}
    scene.ledger.open("b", "c")
    assert [each.wait() for each in both] == [None, None]


def test_children_of_another_process_group_do_not_see_what_a_terminal_sends(scene):
    scene = scene(APP)
    result = scene.begin("Hold", "a")
    pid = scene.pid_of("a")
    groups = {field_of(each, 4) for each in (pid, scene.zygote_of(pid))}
    assert field_of("self", 4) not in groups
    assert len(groups) == 2
    scene.ledger.open("a")
    assert result.wait() is None


def field_of(pid, number):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[number - 2]
