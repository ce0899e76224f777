"""execution="process" and hard_timeout_s: where they may stand, and whose word counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from own_home import OwnHome

from pillion.config import Config
from pillion.definition.execution import hard_timeout_s, isolates
from pillion.errors import ConfigError
from pillion.settings.sources import load_config


@pytest.fixture
def home():
    return OwnHome()


def test_a_class_a_function_and_a_push_can_say_it(home):
    class Report(home.Job, execution="process", hard_timeout_s=60):
        def perform(self): ...

    @home.job(execution="process", hard_timeout_s=timedelta(minutes=2))
    def resize(): ...

    class Plain(home.Job):
        def perform(self): ...

    assert (Report.__job__.execution, Report.__job__.options["hard_timeout_s"]) == ("process", 60)
    assert (resize.__job__.execution, resize.__job__.options["hard_timeout_s"]) == ("process", 120.0)
    assert Plain.__job__.execution == "thread"
    assert Plain.set(execution="process", hard_timeout_s=5).options == {"execution": "process", "hard_timeout_s": 5}


def test_the_options_go_into_the_payload(home):
    class Report(home.Job, execution="process", hard_timeout_s=60):
        def perform(self): ...

    Report.perform_async()
    (payload,) = home.sent.pushed
    assert (payload["execution"], payload["hard_timeout_s"]) == ("process", 60)


def test_a_hard_timeout_of_a_thread_is_refused_where_it_is_written(home):
    with pytest.raises(ConfigError, match=r"hard_timeout_s.*execution=\"process\""):

        class Report(home.Job, hard_timeout_s=60):
            def perform(self): ...

    with pytest.raises(ConfigError, match="hard_timeout_s"):
        home.job(hard_timeout_s=60)(lambda: None)

    class Plain(home.Job):
        def perform(self): ...

    with pytest.raises(ConfigError, match="hard_timeout_s"):
        Plain.set(hard_timeout_s=60)
    with pytest.raises(ConfigError, match="hard_timeout_s"):
        Plain.configure(hard_timeout_s=60)
    assert "hard_timeout_s" not in Plain.__job__.options


def test_a_subclass_that_goes_back_to_a_thread_leaves_the_hard_timeout_behind(home):
    class Base(home.Job, abstract=True, execution="process", hard_timeout_s=60):
        def perform(self): ...

    class Same(Base):
        def perform(self): ...

    class Back(Base, execution="thread"):
        def perform(self): ...

    class Shorter(Base, hard_timeout_s=5):
        def perform(self): ...

    assert (Same.__job__.execution, Same.__job__.options["hard_timeout_s"]) == ("process", 60)
    assert (Back.__job__.execution, "hard_timeout_s" in Back.__job__.options) == ("thread", False)
    assert (Shorter.__job__.execution, Shorter.__job__.options["hard_timeout_s"]) == ("process", 5)


@pytest.mark.parametrize("value", ["fork", "", 1, True])
def test_other_words_for_execution_are_refused(home, value):
    with pytest.raises(ConfigError, match='execution: expected "thread" or "process"'):
        home.job(execution=value)(lambda: None)


@pytest.mark.parametrize("value", [0, -1, True, "5", float("nan"), float("inf"), timedelta(0), 1e10])
def test_a_hard_timeout_that_is_no_length_of_time_is_refused(home, value):
    with pytest.raises(ConfigError, match="hard_timeout_s: expected a timedelta, or a number of seconds above 0"):
        home.job(execution="process", hard_timeout_s=value)(lambda: None)


@pytest.mark.parametrize(
    ("declared", "payload", "wanted"),
    [
        ({}, {}, False),
        ({"execution": "process"}, {}, True),
        ({"execution": "process"}, {"execution": "process"}, True),
        ({"execution": "process"}, {"execution": "thread"}, False),
        ({}, {"execution": "process"}, True),
        ({}, {"execution": "PROCESS"}, False),
        ({"execution": "process"}, {"execution": ["process"]}, True),
        ({"execution": "process"}, {"execution": None}, True),
    ],
)
def test_the_word_of_the_payload_counts_if_it_means_something(home, declared, payload, wanted):
    job = home.job(**declared)(lambda: None) if declared else home.job(lambda: None)
    assert isolates(job.__job__, payload) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(None, 60.0), (5, 5.0), (0.5, 0.5), (0, 60.0), (-3, 60.0), (True, 60.0), ("5", 60.0), ([], 60.0), (10**400, 60.0)],
)
def test_a_hard_timeout_in_a_payload_counts_if_it_is_one(home, value, wanted):
    job = home.job(execution="process", hard_timeout_s=60)(lambda: None)
    assert hard_timeout_s(job.__job__, {"hard_timeout_s": value}) == wanted


def test_perform_inline_runs_here(home):
    ran = []

    @home.job(execution="process", hard_timeout_s=60)
    def note(word: str) -> None:
        ran.append(word)

    assert note.perform_inline("here") is True
    assert ran == ["here"]


def test_settings_of_children_come_from_flags_variables_and_files(tmp_path):
    (tmp_path / "pillion.toml").write_text("child_processes = 3\nmax_jobs_per_child = 100\n")
    environ = {"PILLION_MAX_RSS_MB_PER_CHILD": "512"}
    config = load_config({"child_processes": "2"}, environ, tmp_path).config
    assert (config.child_processes, config.max_jobs_per_child, config.max_rss_mb_per_child) == (2, 100, 512)


@pytest.mark.parametrize("name", ["child_processes", "max_jobs_per_child", "max_rss_mb_per_child"])
def test_settings_of_children_are_whole_numbers_or_nothing(name):
    Config(**{name: None}).validate()
    for wrong in (0, -1, 1.5, "2", True):
        with pytest.raises(ConfigError, match=name):
            Config(**{name: wrong}).validate()
