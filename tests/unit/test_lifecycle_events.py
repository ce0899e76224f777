"""Lifecycle hooks: their order, how often they fire, and what becomes of their errors (behaviour 12)."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pillion.config import Config, Event
from pillion.server.lifecycle import Lifecycle
from pillion.server.reporter import Reporter


class Stage:
    """A lifecycle whose hooks write down that they were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.reports: list[tuple[BaseException, dict[str, Any]]] = []
        self.config = Config(error_handlers=[lambda exc, context, config: self.reports.append((exc, context))])
        self.lifecycle = Lifecycle(self.config, Reporter(self.config))

    def hook(self, event: Event, name: str) -> None:
        self.config.on(event, lambda: self.calls.append(name))


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize("event", ["startup", "heartbeat", "beat"])
def test_setting_up_follows_the_order_of_registration(stage: Stage, event: Event) -> None:
    stage.hook(event, "first")
    stage.hook(event, "second")
    stage.lifecycle.fire(event)
    assert stage.calls == ["first", "second"]


@pytest.mark.parametrize("event", ["quiet", "shutdown", "exit"])
def test_taking_down_follows_the_reverse_order(stage: Stage, event: Event) -> None:
    stage.hook(event, "first")
    stage.hook(event, "second")
    stage.lifecycle.fire(event)
    assert stage.calls == ["second", "first"]


@pytest.mark.parametrize("event", ["startup", "quiet", "shutdown", "exit"])
def test_a_turning_point_fires_once(stage: Stage, event: Event) -> None:
    stage.hook(event, "called")
    stage.lifecycle.fire(event)
    stage.lifecycle.fire(event)
    assert stage.calls == ["called"]


@pytest.mark.parametrize("event", ["heartbeat", "beat"])
def test_heartbeats_fire_every_time(stage: Stage, event: Event) -> None:
    stage.hook(event, "called")
    stage.lifecycle.fire(event)
    stage.lifecycle.fire(event)
    assert stage.calls == ["called", "called"]


def test_an_error_in_a_startup_hook_comes_out(stage: Stage) -> None:
    stage.config.on("startup", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stage.lifecycle.fire("startup")


@pytest.mark.parametrize("event", ["quiet", "shutdown", "exit", "heartbeat", "beat"])
def test_an_error_in_any_other_hook_is_reported_and_the_rest_still_run(stage: Stage, event: Event) -> None:
    stage.hook(event, "before")
    stage.config.on(event, lambda: 1 / 0)
    stage.hook(event, "after")
    stage.lifecycle.fire(event)
    assert sorted(stage.calls) == ["after", "before"]
    [(error, context)] = stage.reports
    assert isinstance(error, ZeroDivisionError)
    assert context["event"] == event


def test_a_hook_that_exits_cannot_skip_the_others(stage: Stage) -> None:
    stage.hook("shutdown", "other")
    stage.config.on("shutdown", lambda: sys.exit(1))
    stage.lifecycle.fire("shutdown")
    assert stage.calls == ["other"]
