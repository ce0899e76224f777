"""The demo's workers get no settings and no Redis of another app."""

from __future__ import annotations

from pathlib import Path

from pillion.cli.demo.workers import clean_environ

FOLDER = Path("/data")


def test_another_redis_and_other_settings_are_left_out():
    theirs = {
        "REDIS_URL": "redis://production",
        "REDIS_PROVIDER": "X",
        "PILLION_CONFIG": "x.toml",
        "PILLION_QUEUES": "a",
    }
    assert clean_environ(FOLDER, theirs) == {"PILLION_DATA_DIR": "/data"}


def test_the_rest_stays():
    assert clean_environ(FOLDER, {"PATH": "/bin", "LANG": "C"}) == {
        "PATH": "/bin",
        "LANG": "C",
        "PILLION_DATA_DIR": "/data",
    }
