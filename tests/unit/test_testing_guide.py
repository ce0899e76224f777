"""The guide on testing: its Python blocks run in order, and its text says what they do."""

import re
from pathlib import Path

import pytest
from doc_examples import run_page

from pillion import default, testing
from pillion.config import Config

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"


@pytest.fixture
def names(monkeypatch):
    default.install(Config())
    yield run_page(GUIDE, monkeypatch)
    default.reset()


def test_the_guide_runs_and_its_shared_tests_pass(names):
    shared = names["TestChargeOrder"]()
    shared.test_can_be_performed_several_times()
    shared.test_survives_a_crash_at_every_line()


def test_the_failure_it_shows_is_the_one_that_comes(names):
    with pytest.raises(testing.CrashFailure) as found:
        testing.crash_at_every_line(
            names["FirstTry"], [1], check=names["check"], reset=names["reset"], isolate="thread"
        )
    shown = re.search(r"^```text\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL).group(1)
    came = str(found.value).replace(str(GUIDE), "docs/guides/testing.md").replace("page_testing.FirstTry", "FirstTry")
    assert came + "\n" == shown


def test_every_public_name_is_in_the_guide():
    text = GUIDE.read_text()
    assert [name for name in testing.__all__ if name not in text] == []
