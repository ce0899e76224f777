"""What the rules look at: one parsed file and the jobs in it.

The file is never imported, so a job is known by its looks: a class whose base is called `Job`,
`Worker` or something that ends in `Job` (such as `ApplicationJob` from another file), a class based on such
a class of the same file, or a function under `@job` or `@pillion.job`. `import ... as` is seen through.
A class of the same file that is plainly something else, an exception or a class without bases, is no such base.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_PLAIN_BASES = frozenset({"object", "ABC", "Protocol", "Generic", "Enum", "NamedTuple", "TypedDict"})
_OUR_ERRORS = frozenset({"InvalidJob"})


@dataclass(frozen=True, slots=True)
class JobCode:
    """A job as it is written.

    `perform` is the method that runs, the function itself for a function job, and None for a class that
    leaves it to others. `parameters` are those that a push can fill: no `self`, no `*args`, no keyword-only.
    """

    node: ast.ClassDef | FunctionNode
    perform: FunctionNode | None
    parameters: tuple[ast.arg, ...]

    @property
    def label(self) -> str:
        """How a message names what runs: `SendMail.perform` or `send_mail`."""
        return f"{self.node.name}.perform" if isinstance(self.node, ast.ClassDef) else self.node.name


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed file. `lines` are those of its text, from 0."""

    tree: ast.Module
    lines: tuple[str, ...]
    jobs: tuple[JobCode, ...]

    def column(self, node: ast.stmt | ast.expr | ast.arg) -> int:
        """The column of `node` in characters, from 1. (`ast` counts bytes, from 0.)"""
        return len(self.lines[node.lineno - 1].encode()[: node.col_offset].decode()) + 1


def read_module(text: str) -> Module:
    """Parse `text`, whose lines end in "\\n". Raises SyntaxError and what else `ast.parse` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a file is for others to complain about
        tree = ast.parse(text)
    return Module(tree, tuple(text.split("\n")), _find_jobs(tree))


def dotted(node: ast.expr, aliases: Mapping[str, str]) -> str:
    """The name that an expression spells, without its `[...]`: "pillion.Job"; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return aliases.get(name, name)
        case ast.Attribute(value=owner, attr=attr):
            return f"{dotted(owner, aliases)}.{attr}"
        case ast.Subscript(value=generic):
            return dotted(generic, aliases)
        case _:
            return ""


def last_part(name: str) -> str:
    """ "Job" of "pillion.Job"."""
    return name.rpartition(".")[2]


def _find_jobs(tree: ast.Module) -> tuple[JobCode, ...]:
    aliases = _aliases(tree)
    definitions = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | FunctionNode)]
    jobs: list[JobCode] = []
    classes, others = set[str](), set(_OUR_ERRORS)
    for node in sorted(definitions, key=lambda node: node.lineno):
        if not isinstance(node, ast.ClassDef):
            if any(_is_job_decorator(decorator, aliases) for decorator in node.decorator_list):
                jobs.append(JobCode(node, node, _positional(node)))
            continue
        bases = [dotted(base, aliases) for base in node.bases]
        if any(_is_job_base(base, classes, others) for base in bases):
            classes.add(node.name)
            jobs.append(_class_job(node))
        elif all(_is_plain_base(base, others) for base in bases):
            others.add(node.name)
    return tuple(jobs)


def _aliases(tree: ast.Module) -> dict[str, str]:
    """The real names behind `import pillion as p` and `from pillion import Job as Base`."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name.asname: name.name for node in imports for name in node.names if name.asname}


def _is_job_base(name: str, classes: set[str], others: set[str]) -> bool:
    last = last_part(name)
    return name in classes or (last not in others and (last == "Worker" or last.endswith("Job")))


def _is_plain_base(name: str, others: set[str]) -> bool:
    last = last_part(name)
    return last in others or last in _PLAIN_BASES or last.endswith(("Error", "Exception"))


def _is_job_decorator(decorator: ast.expr, aliases: Mapping[str, str]) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted(target, aliases) in {"job", "pillion.job"}


def _class_job(node: ast.ClassDef) -> JobCode:
    # The last one counts, as it does for Python: the ones before may be overloads.
    performs = [item for item in node.body if isinstance(item, FunctionNode) and item.name == "perform"]
    if not performs:
        return JobCode(node, None, ())
    perform = performs[-1]
    is_static = any(dotted(decorator, {}) == "staticmethod" for decorator in perform.decorator_list)
    return JobCode(node, perform, _positional(perform)[0 if is_static else 1 :])


def _positional(function: FunctionNode) -> tuple[ast.arg, ...]:
    return (*function.args.posonlyargs, *function.args.args)
