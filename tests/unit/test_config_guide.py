"""The guide on configuration tells every option there is, and its examples load as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pillion.config import QueueSpec
from pillion.settings.options import OPTIONS
from pillion.settings.sources import FILES, load_config

GUIDE = (Path(__file__).parents[2] / "docs/guides/configuration.md").read_text()


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)[number]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_each_option_has_its_row_with_its_variables(option):
    row = re.search(rf"^\| `{option.name}` \|.*$", GUIDE, re.MULTILINE)
    assert row
    assert [name for name in (*option.variables, *option.below_file) if f"`{name}`" not in row[0]] == []


@pytest.mark.parametrize("name", FILES)
def test_each_file_that_is_looked_for_is_named(name):
    assert f"`{name}`" in GUIDE


def test_the_toml_example_loads(tmp_path):
    (tmp_path / "pillion.toml").write_text(block("toml"))
    settings = load_config({}, {"THREADS": "12", "APP_ENV": "test"}, tmp_path)
    assert (settings.require, settings.config.concurrency) == (("shop.jobs",), 12)
    assert settings.config.capsule("one_at_a_time").concurrency == 1
    assert (settings.config.redis.url, settings.config.redis.timeout_s) == ("redis://localhost:6379/2", 5.0)


def test_the_example_of_workers_for_each_queue_loads(tmp_path):
    (tmp_path / "pillion.toml").write_text(block("toml", 1))
    groups = {group.queues: group.count for group in load_config({}, {}, tmp_path).workers}
    assert groups == {("critical",): 2, ("default",): 5, ("reports", "mailers"): 1}


def test_the_strict_example_loads(tmp_path):
    (tmp_path / "pillion.toml").write_text(block("toml", 2))
    config = load_config({}, {}, tmp_path).config
    assert (len(config.queues) > 1, config.capsule("default").mode) == (True, "strict")


def test_the_yaml_example_loads(tmp_path):
    (tmp_path / "pillion.yml").write_text(block("yaml"))
    config = load_config({"environment": "production"}, {}, tmp_path).config
    assert (config.concurrency, config.timeout_s) == (20, 25.0)
    assert config.queues == [QueueSpec("critical", 3), QueueSpec("default")]
