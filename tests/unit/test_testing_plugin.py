"""The pytest plugin, in test runs of its own, on a machine whose Redis does not answer (F228, F232)."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "testing"
# As an installed plugin, whether or not this checkout has been installed since the entry point was added.
AS_PLUGIN = ("-p", "no:pillion", "-p", "pillion.testing.pytest_plugin", "-p", "no:cacheprovider")

JOBS = """
import threading
import pytest
import pillion
from pillion import Job, testing

ran = []

class Work(Job, wire_name="Work"):
    def perform(self, n): ran.append(n)

"""


class Suite:
    """A test suite in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, tests, settings="pillion_mode = fake", conftest=""):
        (self.folder / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers\n{settings}\n")
        (self.folder / "test_it.py").write_text(JOBS + tests)
        (self.folder / "conftest.py").write_text(conftest)

    def run(self, *options):
        """(exit code, output). Redis is at a closed port."""
        environ = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"}
        command = [sys.executable, "-m", "pytest", "-q", "-ra", *AS_PLUGIN, *options]
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    def passes(self, count, *options):
        code, output = self.run(*options)
        assert code == 0, output
        assert f"{count} passed" in output, output


@pytest.fixture
def suite(tmp_path):
    return Suite(tmp_path)


def test_the_example_runs_with_redis_stopped(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__"))
    Suite(tmp_path / "example").passes(16)


def test_the_suite_of_a_user_runs_with_redis_stopped_and_tests_do_not_see_each_others_jobs(suite):
    suite.write("""
@pytest.mark.parametrize("n", range(3))
def test_push(n):
    assert Work.jobs == []
    Work.perform_async(n)
    testing.travel(days=1)
    assert len(Work.jobs) == 1

def test_the_clock_is_back():
    import time
    assert abs(testing.now().timestamp() - time.time()) < 60

def test_wrong_arguments():
    with pytest.raises(pillion.JobArgumentError):
        Work.perform_async()
    with pytest.raises(pillion.ComplexArgument):
        Work.perform_async(object())
""")
    suite.passes(5)


def test_fake_holds_in_threads_that_a_test_starts(suite):
    suite.write("""
def test_push():
    thread = threading.Thread(target=Work.perform_async, args=(1,))
    thread.start()
    thread.join()
    testing.assert_enqueued(Work, 1)
""")
    suite.passes(1)


def test_markers_and_fixtures_change_the_mode_of_one_test(suite):
    suite.write("""
@pytest.fixture
def pushed():
    Work.perform_async(7)

def test_fake(pushed, pillion_fake):
    assert len(pillion_fake) == 1

def test_inline(pillion_inline):
    Work.perform_async(1)
    assert ran == [1]

@pytest.mark.pillion("inline")
def test_marked():
    Work.perform_async(2)
    assert ran == [1, 2]

def test_disabled(pillion_disabled):
    with pytest.raises(pillion.RedisError):
        Work.perform_async(3)

@pytest.mark.pillion("disabled")
class TestMarked:
    def test_disabled(self):
        assert testing.mode_name() == "disabled"

    def test_and_fake_in_it(self, pillion_fake):
        Work.perform_async(1)
        assert len(pillion_fake) == 1

def test_fake_again():
    assert testing.mode_name() == "fake" and Work.jobs == []
""")
    suite.passes(7)


def test_without_a_setting_nothing_is_changed(suite):
    suite.write(
        """
def test_nothing():
    from pillion import default
    assert default.Job.__home__.stand_ins is None
    with pytest.raises(pillion.RedisError):
        Work.perform_async(1)

def test_asked_for(pillion_fake):
    Work.perform_async(1)
    testing.assert_enqueued(Work, 1)
""",
        settings="",
    )
    suite.passes(2)


def test_without_a_setting_not_even_pillion_is_loaded(suite):
    suite.write("")
    (suite.folder / "pytest.ini").write_text("[pytest]\n")
    (suite.folder / "test_it.py").write_text(
        "import sys\ndef test_light():\n    assert 'pillion.client' not in sys.modules\n"
    )
    suite.passes(1)


def test_the_flag_goes_before_the_setting(suite):
    suite.write("def test_mode():\n    assert testing.mode_name() == 'inline'\n")
    suite.passes(1, "--pillion-mode", "inline")


def test_fixtures_of_the_whole_run_may_push_and_add_middleware(suite):
    suite.write(
        """
def test_one(filled):
    assert Work.jobs == []
    Work.perform_async(1)
    Work.drain()
    assert pytest.seen == ["Work"]

def test_two(filled):
    Work.perform_async(1)
    Work.drain()
    assert pytest.seen == ["Work", "Work"]
""",
        conftest="""
import pytest
from pillion import default, testing

@pytest.fixture(scope="session")
def filled():
    default.client().push({"class": "Other", "args": []})
    pytest.seen = []

@pytest.fixture(scope="session", autouse=True)
def noting():
    def note(job, payload, queue, next_):
        pytest.seen.append(payload["class"])
        return next_()
    testing.server_middleware().add(note)
""",
    )
    suite.passes(2)


def test_unittest_classes_are_served_too(suite):
    suite.write("""
import unittest

class TestIt(unittest.TestCase):
    def test_one(self):
        Work.perform_async(1)
        self.assertEqual(len(Work.jobs), 1)

    def test_two(self):
        self.assertEqual(Work.jobs, [])
""")
    suite.passes(2)


@pytest.mark.parametrize(
    ("settings", "mark"),
    [("pillion_mode = fakes", ""), ("", '@pytest.mark.pillion("fakes")'), ("", "@pytest.mark.pillion")],
)
def test_an_unknown_mode_says_so(suite, settings, mark):
    suite.write(f"{mark}\ndef test_it(): ...\n", settings=settings)
    code, output = suite.run()
    assert code != 0
    assert "pillion_mode: expected one of fake, inline, disabled" in output


def test_pytest_finds_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"pillion": "pillion.testing.pytest_plugin"}
