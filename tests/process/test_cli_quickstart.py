"""The quickstart and the README do what they say: their commands run here as they stand (requirement F247)."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_process import Run, clean_environment

ROOT = Path(__file__).parents[2]


class Reader:
    """Somebody who types what a page says, in a folder of their own, with an embedded Redis."""

    def __init__(self, page: Path, folder: Path) -> None:
        text = page.read_text()
        self.folder = folder
        self.commands = re.findall(r"^\$ (.*?)(?:\s{2,}#.*)?$", text, re.MULTILINE)
        self._environ = clean_environment(folder) | {"PILLION_DATA_DIR": str(folder / "data")}
        block = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        (folder / "jobs.py").write_text(block[1])
        self._runs: list[Run] = []

    def _argv(self, beginning: str) -> list[str]:
        """The first command of the page that begins so, for this interpreter."""
        command = next(each for each in self.commands if each.startswith(beginning))
        name, *rest = shlex.split(command)
        return [sys.executable, *(["-m", "pillion"] if name == "pillion" else []), *rest]

    def start(self, beginning: str) -> Run:
        self._runs.append(Run(self._argv(beginning), self.folder, self._environ, f"run-{len(self._runs)}"))
        return self._runs[-1].wait_ready()

    def type(self, beginning: str) -> str:
        result = subprocess.run(
            self._argv(beginning), cwd=self.folder, env=self._environ, capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def end(self) -> None:
        for run in self._runs:
            if run.processes:
                run.stop()
            run.destroy()


@pytest.fixture
def reader(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Reader]:
    made = Reader(ROOT / request.param, short_tmp)
    yield made
    made.end()


@pytest.mark.parametrize("reader", ["README.md"], indirect=True)
def test_the_readme(reader: Reader) -> None:
    worker = reader.start("pillion run")
    reader.type("python -c")
    worker.wait_log("order 42 is complete")


@pytest.mark.parametrize("reader", ["README.md"], indirect=True)
def test_the_readme_needs_no_more_than_ten_lines(reader: Reader) -> None:
    lines = (reader.folder / "jobs.py").read_text().splitlines()
    assert len([line for line in lines if line]) + 2 <= 10


@pytest.mark.parametrize("reader", ["docs/quickstart.md"], indirect=True)
def test_the_quickstart(reader: Reader) -> None:
    worker = reader.start("pillion run")
    jid = reader.type('python -c "from jobs import Greet')
    worker.wait_log("Hello, Ann!")
    assert re.search(rf"class=jobs\.Greet jid={jid} INFO: Hello, Ann!", worker.log)
    reader.type("pillion push jobs.Greet Bob")
    worker.wait_log("Hello, Bob!")
    reader.type("pillion push jobs.Greet Eve")
    worker.wait_log("Hello, Eve!")

    reader.type('python -c "from jobs import ReadNote')
    worker.wait_log("INFO: fail")
    assert "FileNotFoundError" in worker.log
    subprocess.run(
        next(each for each in reader.commands if each.startswith("echo")), shell=True, cwd=reader.folder, check=True
    )
    worker.wait_log("The note says: buy milk")


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_each_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_guarantee_stands_in_the_readme_word_for_word() -> None:
    words = " ".join((ROOT / "README.md").read_text().split())
    assert (
        "At-least-once; a job that has been pushed is never lost by any crash of clients, workers or supervisors, and "
        "survives a Redis crash as far as Redis' own persistence does; a job runs twice only if its process died or "
        "lost its lease while running it."
    ) in words


def test_each_file_in_the_glossary_exists() -> None:
    names = re.findall(r"\(`([\w/]+\.py)`\)", (ROOT / "docs/glossary.md").read_text())
    assert names
    assert [name for name in names if not (ROOT / "src/pillion" / name).exists()] == []
