"""The commands and files of the guide on development are as `pillion` has them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from pillion.cli.dev.command import HELP, settings_of
from pillion.cli.dev.command import command as dev
from pillion.cli.main import command
from pillion.cli.run import command as run

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "development.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(GUIDE) if name == language]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_generate_prints_what_the_guide_shows(project):
    (shown,) = [text for text in blocks("console") if "pillion generate" in text]
    line, _, expected = shown.partition("\n")
    words = shlex.split(line.removeprefix("$ pillion "))
    assert CliRunner().invoke(command, words).output == expected


def test_the_application_job_and_the_template_of_the_guide_work_together(project):
    (base,) = blocks("python")
    (template,) = [text for text in blocks("") if "$class_name" in text]
    (project / "application_job.py").write_text(base)
    (project / "pillion_templates").mkdir()
    (project / "pillion_templates" / "job.py.txt").write_text(template)
    result = CliRunner().invoke(command, ["generate", "job", "shop/charge", "-q", "high", "--no-test"])
    assert result.exit_code == 0, result.exception
    source = (project / "shop" / "charge.py").read_text()
    assert source.startswith('"""ChargeJob, of the shop."""\n\nfrom application_job import ApplicationJob\n')
    assert 'class ChargeJob(ApplicationJob, queue="high"):' in source


def test_every_placeholder_is_named(project):
    from pillion.cli.generate.names import read_name
    from pillion.cli.generate.writing import JobOrder

    values = JobOrder(read_name("a"), None, ("pillion", "Job"), None).values()
    assert [name for name in values if f"`${name}`" not in GUIDE] == []


def lines_of(program: str) -> list[list[str]]:
    """The arguments of all commands of this name in the guide, in consoles, texts and the Procfile."""
    found = re.findall(rf"(?:^\$ |`|: ){program} (shop\.jobs[^`\n]*)", GUIDE, re.MULTILINE)
    return [shlex.split(line) for line in found]


def test_its_commands_are_understood(project):
    assert len(lines_of("pillion dev")) >= 3
    for words in lines_of("pillion dev"):
        context = dev.make_context("dev", list(words), help_option_names=HELP)
        settings_of(context.params["arguments"], project)
    (words,) = lines_of("pillion run")
    assert run.make_context("run", list(words), help_option_names=HELP).params["timeout"] == "2"


def test_every_option_of_dev_is_named():
    options = [name for parameter in dev.params for name in parameter.opts if name.startswith("--")]
    assert [name for name in options if name not in GUIDE] == []
