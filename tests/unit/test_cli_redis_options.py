"""The commands say so if nobody has told them which Redis is meant."""

from __future__ import annotations

import pytest

from pillion.cli.redis_options import tell_if_embedded
from pillion.config import Config


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    for name in ("REDIS_URL", "REDIS_PROVIDER", "PILLION_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def test_it_names_the_folder_of_the_embedded_one(capsys, tmp_path):
    tell_if_embedded(Config())
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("pillion: REDIS_URL is not set")
    assert str(tmp_path) in printed.err


def test_it_is_silent_where_a_redis_is_named(capsys, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379/0")
    tell_if_embedded(Config())
    assert capsys.readouterr().err == ""


def test_it_is_silent_where_the_folder_was_chosen(capsys, monkeypatch, tmp_path):
    tell_if_embedded(Config(embedded_data_dir=str(tmp_path)))
    monkeypatch.setenv("PILLION_DATA_DIR", str(tmp_path))
    tell_if_embedded(Config())
    assert capsys.readouterr().err == ""
