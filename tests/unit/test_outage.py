"""Outage: Redis is away, or refuses something: who is told, and when it is tried again."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pillion.config import Config
from pillion.errors import RedisRefused, RedisUnavailable
from pillion.server import outage as outages
from pillion.server.outage import Outage
from pillion.server.reporter import Reporter

GONE = RedisUnavailable("gone")


class Scene:
    """An outage, what it has reported, and how often something is to be tried again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(outages.time, "monotonic", lambda: self.now_s)
        self.reports: list[BaseException] = []
        self.agains = 0
        config = Config()
        config.error_handlers.append(self._report)
        self.outage = Outage(Reporter(config), self._again)

    def _report(self, exc: BaseException, context: dict[str, Any], config: Config) -> None:
        self.reports.append(exc)

    def _again(self) -> None:
        self.agains += 1


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_an_outage_is_reported_once(scene: Scene) -> None:
    scene.outage.note(GONE)
    scene.outage.note(RedisUnavailable("still gone"))
    assert scene.outage.is_on
    assert scene.reports == [GONE]


def test_the_next_outage_is_reported_as_well(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pillion")
    scene.outage.note(GONE)
    scene.now_s += 7.5
    scene.outage.over()
    assert not scene.outage.is_on
    assert caplog.messages == ["Redis is back, 7.5 s of downtime"]
    scene.outage.note(GONE)
    assert scene.reports == [GONE, GONE]


def test_what_was_not_out_is_not_over(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pillion")
    scene.outage.over()
    assert caplog.messages == []


def test_it_is_tried_again_after_a_second(scene: Scene) -> None:
    assert not scene.outage.is_too_early
    scene.outage.note(GONE)
    assert scene.agains == 1
    assert scene.outage.is_too_early
    scene.now_s += 1.0
    assert not scene.outage.is_too_early


def test_what_is_refused_is_tried_each_second_and_reported_each_minute(scene: Scene) -> None:
    refused = RedisRefused("OOM")
    for _ in range(61):
        scene.outage.note_refusal(refused)
        assert scene.outage.is_too_early
        scene.now_s += 1.0
    assert scene.agains == 61
    assert scene.reports == [refused, refused]
    assert not scene.outage.is_on
