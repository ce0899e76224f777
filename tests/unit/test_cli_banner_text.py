"""The banner of `pillion run` in a terminal (requirement F070)."""

from __future__ import annotations

import pytest

from pillion.cli.banner import banner_text, describe
from pillion.config import Capsule, QueueSpec
from pillion.settings.readers import WorkerGroup


def banner(**changes) -> str:
    options = {"redis": "host:1/2", "environment": "development", "capsules": [Capsule("default")]}
    return banner_text("1.2.3", **{**options, "workers": [WorkerGroup(1)], **changes})


def test_names_version_redis_environment_queues_and_how_to_stop():
    text = banner()
    assert "Pillion 1.2.3" in text
    assert "Redis        host:1/2" in text
    assert "Environment  development" in text
    assert "Queues       default, 5 jobs at a time" in text
    assert "Ctrl-C" in text


def test_names_each_further_capsule():
    assert "  mail         mailers, 1 job at a time" in banner(
        capsules=[Capsule("default"), Capsule("mail", [QueueSpec("mailers")], 1)]
    )


def test_counts_several_processes():
    assert "Processes    3, each with all of this" in banner(workers=[WorkerGroup(3)])
    assert "Processes" not in banner()


def test_lists_the_processes_of_each_queue():
    text = banner(workers=[WorkerGroup(2, ("critical",)), WorkerGroup(1, ("a", "b"))])
    assert "  Processes    2 for critical\n  Processes    1 for a, b\n" in text
    assert "Queues" not in text


def test_is_plain_unless_colour_is_asked_for():
    assert "\x1b" not in banner()
    assert "\x1b" in banner(colour=True)


@pytest.mark.parametrize(
    ("queues", "text"),
    [
        ([QueueSpec("a"), QueueSpec("b")], "a, b, 5 jobs at a time, in this order"),
        ([QueueSpec("a", 3), QueueSpec("b", 1)], "a (3), b (1), 5 jobs at a time, by weight"),
        ([QueueSpec("a", 1), QueueSpec("b", 1)], "a (1), b (1), 5 jobs at a time, in random order"),
    ],
)
def test_says_in_which_order_queues_are_served(queues, text):
    assert describe(Capsule("default", queues)) == text
