"""The rules, one pure function each, and the table of them.

A rule looks at a whole `Module` and yields a `Problem` for every place that breaks it. To add one, write
the function, put a line into `RULES`, a section into docs/guides/lint.md, and tests both ways. What cannot be
seen in one file's source does not belong here: a rule that is often wrong gets switched off.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pillion.cli.lint.contexts import unstated_pushes
from pillion.cli.lint.model import JobCode, Module, dotted, last_part

MOST_ARGUMENTS = 3
# `user_email` is a value as `email` is; `email_id` is not. So the last word decides ...
_VALUE_WORDS = frozenset(
    "email emails mail body text html address addresses phone password passwd secret token".split()  # noqa: SIM905
)
# ... but not for these: `queue_name` and `file_name` do say which one is meant.
_VALUE_NAMES = frozenset(
    "name names username user_name first_name last_name full_name customer_name subject message content".split()  # noqa: SIM905
)
_LISTS = frozenset({"list", "List", "Sequence", "MutableSequence", "Collection", "Iterable"})
_MUTABLE_CALLS = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "ChainMap"}
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A place that breaks a rule, and what to do there."""

    node: ast.stmt | ast.expr | ast.arg
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's line in `pillion lint -h`, and the function that applies it."""

    summary: str
    check: Callable[[Module], Iterator[Problem]]


def pass_references(module: Module) -> Iterator[Problem]:
    """PL-REF (F015): a job gets the id of a record, and reads the record when it runs."""
    for job in module.jobs:
        if job.perform is None:
            continue
        names = [parameter.arg for parameter in job.parameters]
        values = [name for name in names if _is_value(name)]
        if len(names) > MOST_ARGUMENTS:
            what = f"{job.label}({', '.join(names)}) takes {len(names)} arguments"
        elif values:
            what = f"{job.label} takes {' and '.join(values)}, which may have changed when it runs"
        else:
            continue
        yield Problem(job.perform, f"{what}: pass the id of the record, and read the rest in the job.")


def name_ends_in_job(module: Module) -> Iterator[Problem]:
    """PL-NAME (F029): a class that says what it does and that it is a job."""
    for job in module.jobs:
        if isinstance(job.node, ast.ClassDef) and not job.node.name.endswith("Job"):
            better = job.node.name.removesuffix("Worker") + "Job"
            yield Problem(job.node, f"{job.node.name} is a job class: end its name in Job, for example {better}.")


def one_job_for_each_id(module: Module) -> Iterator[Problem]:
    """PL-LIST (F024): many ids are many small jobs, each with a retry of its own."""
    for job in module.jobs:
        for parameter in job.parameters:
            name = parameter.arg
            if (name == "ids" or name.endswith("_ids")) and _is_list(parameter.annotation):
                yield Problem(
                    parameter,
                    f"{job.label} takes {name}, a list of any length: take one id, and push one small job for each"
                    " with perform_bulk. It is retried alone, and does not keep the others waiting.",
                )


def no_shared_state(module: Module) -> Iterator[Problem]:
    """PL-PERFORM (F248): what hangs on the class is shared by all threads of a worker."""
    for job in module.jobs:
        for statement, names in _mutable_attributes(job):
            yield Problem(
                statement,
                f"{job.node.name}.{names} can be changed and is shared by all threads of a worker:"
                " make it a tuple or a frozenset, or set it in perform.",
            )


def context_is_stated(module: Module) -> Iterator[Problem]:
    """PL-CTX (F131): a job that a timer starts has no context to pass on."""
    for push, label in unstated_pushes(module):
        yield Problem(
            push,
            f"{label} pushes a job without a context, and has none to pass on, as a timer starts it: push inside of"
            " `with self.with_context(...)`, or with bulk_perform_async_with_contexts.",
        )


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "PL-REF": Rule("a job takes more than 3 arguments, or values such as email: pass the id", pass_references),
        "PL-NAME": Rule("a job class whose name does not end in Job", name_ends_in_job),
        "PL-LIST": Rule("a job takes a list of ids: push one small job for each", one_job_for_each_id),
        "PL-PERFORM": Rule("a job class has an attribute that its threads share and can change", no_shared_state),
        "PL-CTX": Rule("a job that a timer starts pushes others without stating a context", context_is_stated),
    }
)


def _is_value(name: str) -> bool:
    return name in _VALUE_NAMES or name.rpartition("_")[2] in _VALUE_WORDS


def _is_list(annotation: ast.expr | None) -> bool:
    """Is it list[...] or one of its relatives, also inside `| None`, Optional, Annotated or a string?"""
    match annotation:
        case ast.Constant(value=str(text)):
            try:
                return _is_list(ast.parse(text, mode="eval").body)
            except (SyntaxError, ValueError):
                return False
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_list(left) or _is_list(right)
        case ast.Subscript(value=generic, slice=inner) if last_part(dotted(generic, {})) in {"Optional", "Annotated"}:
            return _is_list(inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return last_part(dotted(annotation, {})) in _LISTS
        case _:
            return False


def _mutable_attributes(job: JobCode) -> Iterator[tuple[ast.stmt, str]]:
    if not isinstance(job.node, ast.ClassDef):
        return
    for statement in job.node.body:
        match statement:
            case ast.Assign(targets=targets, value=value) if _is_mutable(value):
                names = ", ".join(ast.unparse(target) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value) if _is_mutable(value):
                names = ast.unparse(target)
            case _:
                continue
        if not names.startswith("__"):  # __slots__ and the like are read by Python, once
            yield statement, names


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return last_part(dotted(value.func, {})) in _MUTABLE_CALLS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
