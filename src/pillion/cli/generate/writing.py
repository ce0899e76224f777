"""Writing a job and its test: texts from templates, files that were not there before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from string import Template

from pillion.cli.generate.names import JobNames
from pillion.errors import ConfigError

TEMPLATES = "pillion_templates"  # the folder of a project that has templates of its own
BASE_FILE = "application_job.py"
BASE_CLASS = "ApplicationJob"


@dataclass(slots=True, frozen=True)
class JobOrder:
    """The job that was asked for. `tests` is the folder of tests, None for no test; `base` is module and class."""

    names: JobNames
    queue: str | None
    base: tuple[str, str]
    tests: PurePosixPath | None

    def values(self) -> dict[str, str]:
        """What templates can show."""
        names, (module, base) = self.names, self.base
        tests = self.tests or PurePosixPath("tests")
        is_default = self.queue in (None, "default")
        return {
            "name": names.name,
            "class_name": names.class_name,
            "module": names.module,
            "path": str(names.path),
            "test_path": str(names.test_path(tests)),
            "base": base,
            "base_import": f"from {module} import {base}",
            "queue": self.queue or "default",
            "options": "" if is_default else f', queue="{self.queue}"',
        }


def find_base(names: JobNames, folder: Path) -> tuple[str, str]:
    """What the job derives from: ApplicationJob of the nearest application_job.py, its folder upwards; else Job."""
    for depth in range(len(names.packages), -1, -1):
        packages = names.packages[:depth]
        file = folder.joinpath(*packages, BASE_FILE)
        if file.is_file() and re.search(rf"^class {BASE_CLASS}\b", file.read_text("utf-8", "replace"), re.MULTILINE):
            return ".".join((*packages, Path(BASE_FILE).stem)), BASE_CLASS
    return "pillion", "Job"


def write_job(order: JobOrder, folder: Path) -> list[Path]:
    """Write the files, below `folder`. Returns them. Raises ConfigError, before anything is written, if one exists."""
    if order.tests is not None and (order.tests.is_absolute() or ".." in order.tests.parts):
        raise ConfigError("--tests", "a folder of this project, such as tests/jobs", str(order.tests))
    files = {folder / order.names.path: _filled("job.py.txt", order.values(), folder)}
    if order.tests is not None:
        files[folder / order.names.test_path(order.tests)] = _filled("test.py.txt", order.values(), folder)
    for file in (*files, *_shadows(order.names, folder)):
        if file.exists():
            hint = "Nothing was written. Delete it first, or choose another name."
            raise ConfigError("generate", "names that are not taken", str(file.relative_to(folder)), hint)
    markers = [marker for marker in _markers(order.names, folder) if not marker.exists()]
    for path, text in {**dict.fromkeys(markers, ""), **files}.items():
        _write(path, text)
    return [*markers, *files]


def _shadows(names: JobNames, folder: Path) -> list[Path]:
    """What would be one name with a module or package of ours, so that only one of the two can be imported."""
    modules = [
        folder.joinpath(*names.packages[:depth]).with_suffix(".py") for depth in range(1, len(names.packages) + 1)
    ]
    return [*modules, folder.joinpath(*names.packages, names.name, "__init__.py")]


def _markers(names: JobNames, folder: Path) -> list[Path]:
    """The __init__.py of each folder that there is not yet. One that there is stays the kind of package that it is."""
    folders = [folder.joinpath(*names.packages[:depth]) for depth in range(1, len(names.packages) + 1)]
    return [each / "__init__.py" for each in folders if not each.exists()]


def _filled(template: str, values: Mapping[str, str], folder: Path) -> str:
    own = folder / TEMPLATES / template
    place, text = str(own.relative_to(folder)), own.read_text("utf-8") if own.is_file() else _builtin(template)
    try:
        return Template(text).substitute(values)
    except (KeyError, ValueError) as exc:
        known = ", ".join(f"${name}" for name in values)
        raise ConfigError(place, f"only {known}; $$ for a $", str(exc)) from None


def _builtin(template: str) -> str:
    return resources.files("pillion.cli.generate").joinpath("templates", template).read_text("utf-8")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise ConfigError("generate", "a folder that can be written to", str(path), str(exc)) from None
