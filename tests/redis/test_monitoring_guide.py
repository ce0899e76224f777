"""The guide on monitoring: its Python runs, and its commands have the options that they are shown with."""

import re
import shlex
from pathlib import Path

import click
import pytest
from doc_examples import run_page

from pillion import default
from pillion.cli.check import read_sink
from pillion.cli.main import command
from pillion.config import Config

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "monitoring.md"
# A command stands behind a prompt, or behind the five fields of a crontab.
COMMANDS = re.findall(r"^(?:\$|\*/5 \* \* \* \*)\s+pillion (.*?)(?: >/dev/null)?$", GUIDE.read_text(), re.MULTILINE)


def parse(group, words, context):
    """Parse a command line without carrying it out; returns its parameters."""
    name, *rest = words
    found = group.get_command(context, name)
    assert found is not None, name
    inner = found.make_context(name, rest, parent=context, resilient_parsing=isinstance(found, click.Group))
    return parse(found, rest, inner) if isinstance(found, click.Group) else inner.params


def test_its_python_runs(redis_url, monkeypatch, caplog):
    default.reset()
    default.install(Config(redis=redis_url))
    run_page(GUIDE, monkeypatch)
    default.reset()
    assert "no worker process is running" in caplog.text


def test_there_are_commands():
    assert len(COMMANDS) >= 9


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_the_options_it_is_shown_with(line):
    # With the settings of `pillion`: a command keeps its help option, so other tests would see another one.
    context = click.Context(command, **command.context_settings)
    for target in parse(command, shlex.split(line), context).get("targets", ()):
        assert callable(read_sink(target))
