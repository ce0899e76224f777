"""Deploy marks (behaviour 22, wire-format 9)."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pillion.api.deploy import Deploy, git_label
from pillion.api.fleet import Fleet
from pillion.config import Config
from pillion.errors import ConfigError

NIGHT = datetime(2026, 11, 21, 22, 29, 31, tzinfo=UTC).timestamp()


@pytest.fixture
def deploy(redis_url):
    fleet = Fleet(Config(redis=redis_url), clock=lambda: NIGHT)
    yield Deploy(fleet=fleet)
    fleet.close()


@pytest.fixture
def repository(tmp_path):
    """A git repository with one commit, by nobody in particular."""
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "Ship: the ferry ☃\n\nAnd more."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_mark_is_written_as_sidekiq_writes_it(deploy, raw):
    assert deploy.mark("v1") is True
    assert raw.hgetall("20261121-marks") == {b"2026-11-21T22:29:00Z": b"v1"}
    assert raw.ttl("20261121-marks") == pytest.approx(7_776_000, abs=5)
    assert raw.get("deploylock-v1") == b"2026-11-21T22:29:00Z"
    assert raw.ttl("deploylock-v1") == pytest.approx(60, abs=5)


def test_the_same_label_counts_once_in_a_minute(deploy, raw):
    assert deploy.mark("v1") is True
    assert deploy.mark("v1", NIGHT + 59) is False
    assert raw.hlen("20261121-marks") == 1


def test_of_a_minute_the_first_label_stays(deploy, raw):
    assert deploy.mark("v1") is True
    assert deploy.mark("v2") is False
    assert raw.hgetall("20261121-marks") == {b"2026-11-21T22:29:00Z": b"v1"}


def test_different_minutes_are_apart(deploy):
    assert deploy.mark("v1") is True
    assert deploy.mark("v2", NIGHT + 60) is True
    assert [(mark.label, mark.bucket) for mark in deploy.marks()] == [
        ("v1", "2026-11-21T22:29:00Z"),
        ("v2", "2026-11-21T22:30:00Z"),
    ]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 21, 1, 59, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 11, 20, 23, 59, tzinfo=UTC).timestamp(),
        int(datetime(2026, 11, 20, 23, 59, 1, tzinfo=UTC).timestamp()),
    ],
)
def test_a_mark_belongs_to_its_utc_day(deploy, moment):
    deploy.mark("v1", moment)
    assert deploy.marks() == []
    (mark,) = deploy.marks(date(2026, 11, 20))
    assert (mark.at, mark.label, mark.bucket) == (1795219140.0, "v1", "2026-11-20T23:59:00Z")


WITHOUT_ZONE = datetime(2026, 11, 21)  # noqa: DTZ001


@pytest.mark.parametrize("at", ["now", True, float("nan"), float("inf"), 1795300071000.5e6, WITHOUT_ZONE])
def test_a_moment_that_cannot_be_is_refused_and_nothing_is_written(deploy, raw, at):
    with pytest.raises(ConfigError, match="at: expected"):
        deploy.mark("v1", at)
    assert raw.keys("*") == []


@pytest.mark.parametrize("label", ["", "  ", 7, b"v1"])
def test_a_label_must_be_text(deploy, raw, label):
    with pytest.raises(ConfigError, match="label: expected text that says what was deployed"):
        deploy.mark(label)
    assert raw.keys("*") == []


def test_without_a_label_git_is_asked(deploy, repository, monkeypatch):
    monkeypatch.chdir(repository)
    deploy.mark()
    (mark,) = deploy.marks()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    assert mark.label == f"{commit.stdout.strip()} Ship: the ferry ☃"


def test_outside_of_git_the_error_says_what_to_do(deploy, raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match=r"label: expected a label, or a git repository with a commit.*Say what was"):
        deploy.mark()
    assert raw.keys("*") == []


def test_in_a_repository_without_a_commit_too(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(ConfigError, match="a git repository with a commit"):
        git_label(tmp_path)


def test_without_git_too(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="a git repository with a commit"):
        git_label(repository)


def test_from_an_event_loop(redis_url):
    async def ask():
        fleet = Fleet(Config(redis=redis_url), clock=lambda: NIGHT)
        deploy = Deploy(fleet=fleet)
        try:
            return await deploy.mark.aio("v1"), await deploy.marks.aio()
        finally:
            await fleet.aclose()

    was_set, (mark,) = asyncio.run(ask())
    assert (was_set, mark.label) == (True, "v1")
