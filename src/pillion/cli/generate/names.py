"""From the name on the command line to the names of files, modules and classes. No file is read here."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import PurePosixPath

from pillion.errors import ConfigError

_HINT = "Example: special_jobs/my_job"
_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(slots=True, frozen=True)
class JobNames:
    """What a job is called: `special_jobs/my_job` has the class MyJob, in the module special_jobs.my_job.

    `packages` are the folders it is in, from the outside in; `name` is that of its module.
    """

    packages: tuple[str, ...]
    name: str
    class_name: str

    @property
    def module(self) -> str:
        """The dotted name of its module."""
        return ".".join((*self.packages, self.name))

    @property
    def path(self) -> PurePosixPath:
        """Its file."""
        return PurePosixPath(*self.packages, f"{self.name}.py")

    def test_path(self, tests: PurePosixPath) -> PurePosixPath:
        """The file of its test, below the folder `tests`."""
        return PurePosixPath(tests, *self.packages, f"test_{self.name}.py")


def read_name(text: str) -> JobNames:
    """Read `special_jobs/my_job`, `special_jobs.my_job` or `special_jobs/MyJob`.

    The class ends in Job, as PL-NAME of `pillion lint` has it: `reports/nightly` has the class NightlyJob.
    Raises ConfigError for what cannot be imported, or would hide a module of Python's own.
    """
    parts = re.split(r"[/.]", text.strip().removesuffix(".py"))
    packages, last = tuple(parts[:-1]), parts[-1]
    name = "_".join(_BORDER.split(last)).lower()
    class_name = _camel(last)  # `true` is no keyword, True is one
    for part in (*packages, name, class_name):
        if not part.isidentifier() or keyword.iskeyword(part):
            raise ConfigError("NAME", "names as those of Python's modules, with / between them", text, _hint(text))
    top = packages[0] if packages else name
    if top in sys.stdlib_module_names or top == "pillion":
        raise ConfigError("NAME", "a name that is free", text, f"{top!r} is a module already, which it would hide.")
    return JobNames(packages, name, class_name)


def _hint(text: str) -> str:
    better = re.sub(r"[^\w/.]+", "_", text.strip().removesuffix(".py")).strip("/._")
    return f"Example: {better}" if better != text and better.replace("/", "").isidentifier() else _HINT


def _camel(name: str) -> str:
    """`my_job` as MyJob, and so is `my`; MyJob stays as it is."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_")).removesuffix("Job") + "Job"
