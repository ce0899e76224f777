"""A reader of the tutorial: types the commands of a page in their order, and compares what comes with what it shows.

In blocks of the kind `console`, a line that begins with `$ ` is typed, `^C` is pressed in the terminal of `make shop`,
and what stands below a command is what it prints; `...` stands for anything. Commands that only look
are typed again until they show what they should: what they look at happens in the background.

A part of a page begins where the page makes the shop new. It can be followed without the parts before it, by a reader
who has changed the same files, stands in the same folder and has started the same shop.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from shop_process import copy_example, end_all
from worker_process import Run, clean_environment, wait_until

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOOKS = ("python -m shop show", "python -m shop rows", "python -m shop check", "pillion ")
ACTS = ("pillion push", "pillion jobs")
MAKES_NEW = ["python -m shop setup", "python -m shop reset"]

WEB, FAKES = "http://127.0.0.1:3000", "http://127.0.0.1:3001"


@dataclass(frozen=True)
class Step:
    """One command, what it is to print, and where it stands."""

    command: str
    expected: str
    line: int

    @property
    def may_be_repeated(self) -> bool:
        return self.command.startswith(LOOKS) and not self.command.startswith(ACTS)

    @property
    def may_fail(self) -> bool:
        return "Error:" in self.expected or self.command.startswith("diff ")


def steps_of(page: str) -> list[Step]:
    """The commands of a page."""
    steps: list[Step] = []
    for block in BLOCK.finditer(page):
        first = page[: block.start(1)].count("\n") + 1
        for number, line in enumerate(block[1].splitlines(), first):
            if line.startswith("$ ") or line == "^C":
                steps.append(Step(line.removeprefix("$ "), "", number))
            elif line:
                steps[-1] = Step(steps[-1].command, f"{steps[-1].expected}{line}\n", steps[-1].line)
    return steps


@dataclass(frozen=True)
class Part:
    """`before` is what was typed earlier and still counts."""

    before: tuple[Step, ...]
    steps: tuple[Step, ...]


def parts_of(page: str) -> list[Part]:
    """The parts of a page, each of which can be followed alone."""
    steps = steps_of(page)
    starts = [0, *(start for start in _starts(steps) if start > 0 and _does_something(steps[:start]))]
    ends = [*starts[1:], len(steps)]
    return [
        Part(_still_counts(steps[:start]), tuple(steps[start:end])) for start, end in zip(starts, ends, strict=True)
    ]


def _starts(steps: list[Step]) -> list[int]:
    """Where the shop is made new, or started for that, and something is done with it then."""
    commands = [step.command for step in steps]
    made_new = [place for place in range(len(commands)) if commands[place : place + 2] == MAKES_NEW]
    used = [place for place in made_new if commands[place + 2 :] not in ([], ["^C"])]
    return [place - 1 if commands[place - 1].startswith("make shop") else place for place in used]


def _does_something(steps: list[Step]) -> bool:
    """More than reading in a folder and starting the shop."""
    return any(not step.command.startswith(("cd ", "cat ", "diff ", "make shop")) for step in steps)


def _still_counts(steps: list[Step]) -> tuple[Step, ...]:
    """The folder, the changed files, and the shop if it runs."""
    places = [step for step in steps if step.command.startswith("cd ")][-1:]
    changes = [step for step in steps if step.command.startswith("sed -i")]
    shops = [step for step in steps if step.command == "^C" or step.command.startswith("make shop")][-1:]
    return (*places, *changes, *(shop for shop in shops if shop.command != "^C"))


class Reader:
    """Has a clone of the project in `folder`, and two terminals."""

    def __init__(self, folder: Path) -> None:
        self._clone = folder
        self._cwd = folder
        self._example = copy_example(folder / "examples")
        python = Path(sys.executable).parent
        self._environ = clean_environment(folder) | {
            "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",  # what it says of itself is on no page
        }
        self._urls: dict[str, str] = {}
        self._runs: list[Run] = []

    def follow(self, part: Part, name: str) -> None:
        """Type a part of the page `name`."""
        for step in (*part.before, *part.steps):
            self._do(step, f"{name}:{step.line}")

    def close(self) -> None:
        end_all(self._runs)

    def _do(self, step: Step, where: str) -> None:
        words = shlex.split(step.command)
        if words[:2] == ["make", "shop"]:
            shown = self._make_shop(dict(word.split("=") for word in words[2:]))
            assert not step.expected or like(step.expected, shown), f"{where}: {shown}"
        elif step.command == "^C":
            self._runs[-1].ctrl_c()
            assert self._runs[-1].wait() == 0, f"{where}: {self._runs[-1].log}"
        elif words[0] == "cd":
            self._cwd = self._clone / words[1]
        elif words[0] != ".":  # the virtual environment is there already
            self._type(step, where)

    def _type(self, step: Step, where: str) -> None:
        seen = ""

        def as_shown() -> bool:
            nonlocal seen
            seen = self._run(step)
            return like(step.expected, seen)

        def difference() -> str:
            return f"{where}: $ {step.command}\n{seen}\nbut the page shows\n{step.expected}\n{self._log()}"

        if step.may_be_repeated:
            wait_until(as_shown, f"what the page shows at {where}", difference)
        else:
            assert as_shown(), difference()

    def _run(self, step: Step) -> str:
        result = subprocess.run(
            ["bash", "-c", step.command],
            cwd=self._cwd,
            env=self._environ | self._services(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=150,
        )
        if not (step.may_fail or step.may_be_repeated):
            assert result.returncode == 0, f"$ {step.command}\n{result.stdout}{self._log()}"
        return self._as_documented(result.stdout)

    def _services(self) -> dict[str, str]:
        """Where the shop is, as ports 3000 and 3001 may belong to somebody else here."""
        if not self._urls:
            return {}
        paths = {"PAYMENTS": "payments", "EMAIL": "email", "FULLFILLMENT": "fulfillment"}
        apis = {f"{name}_API_URL": f"{self._urls[FAKES]}/{path}" for name, path in paths.items()}
        catcher = f"{self._urls[FAKES]}/error-catcher"
        return {**apis, "ERROR_CATCHER_API_URL": catcher, "SHOP_URL": self._urls[WEB]}

    def _make_shop(self, variables: dict[str, str]) -> str:
        """Start it on ports that are free; returns what it has shown, with the ports of the page."""
        options = ["--stage", variables["STAGE"]] if "STAGE" in variables else []
        options += ["--no-worker"] if "WORKER" in variables else []
        command = [sys.executable, "-m", "shop.dev", *options]
        environ = self._environ | {"SHOP_PORT": "0", "FAKES_PORT": "0"}
        run = Run(command, self._example, environ, f"make-shop-{len(self._runs)}")
        self._runs.append(run)
        run.wait_log("Ctrl-C stops everything.")
        if "WORKER" not in variables and variables.get("STAGE") != "0":
            run.wait_log(" ready: ")
        self._urls = {
            WEB: re.findall(r"^  shop +(\S+)", run.log, re.MULTILINE)[0],
            FAKES: re.findall(r"^  services +(\S+)", run.log, re.MULTILINE)[0],
        }
        links = re.search(r"^  shop .*Ctrl-C stops everything\.$", run.log, re.MULTILINE | re.DOTALL)
        return self._as_documented(links[0])

    def _as_documented(self, text: str) -> str:
        for documented, real in self._urls.items():
            text = text.replace(real, documented)
        return text

    def _log(self) -> str:
        return self._runs[-1].log if self._runs else ""


def like(expected: str, seen: str) -> bool:
    """Whether `seen` is what a page shows. A line `...` stands for any lines, `...` in a line for any text."""
    pattern = "".join(map(_pattern_of, expected.splitlines()))
    lines = (" ".join(line.split()) + "\n" for line in seen.splitlines() if line.strip())
    return re.fullmatch(pattern, "".join(lines)) is not None


def _pattern_of(line: str) -> str:
    words = " ".join(line.split())
    if words == "...":
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, words.split("..."))) + r"\n"
