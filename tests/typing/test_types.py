"""The public API through the eyes of mypy and pyright, both strict.

ok_*.py must pass; bad_*.py must fail on the lines marked `# E` and on no other.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SAMPLES = sorted(path.name for path in HERE.glob("*_*.py") if not path.name.startswith("test_"))


def run(*command: str) -> str:
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    return result.stdout


def mypy_errors() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {name: set() for name in SAMPLES}
    output = run("mypy", "--strict", "--no-error-summary", *(str(HERE / name) for name in SAMPLES))
    for path, line in re.findall(r"^(.+?):(\d+): error:", output, re.MULTILINE):
        found.setdefault(Path(path).name, set()).add(int(line))
    return found


def pyright_errors() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {name: set() for name in SAMPLES}
    output = run("pyright", "--outputjson", *(str(HERE / name) for name in SAMPLES))
    for finding in json.loads(output)["generalDiagnostics"]:
        if finding["severity"] == "error":
            found.setdefault(Path(finding["file"]).name, set()).add(finding["range"]["start"]["line"] + 1)
    return found


def marked_lines(name: str) -> set[int]:
    lines = (HERE / name).read_text().splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith("# E")}


@pytest.mark.parametrize("checker", [mypy_errors, pyright_errors])
def test_checker_refuses_exactly_the_marked_lines(checker):
    assert checker() == {name: marked_lines(name) for name in SAMPLES}


def test_samples_of_both_kinds_exist():
    assert {name.partition("_")[0] for name in SAMPLES} == {"ok", "bad"}
    assert all(not marked_lines(name) for name in SAMPLES if name.startswith("ok_"))
