"""PL-CTX (F131): jobs that a timer starts say for whom they push others.

A job started from a request carries the context of that request on to the jobs it pushes. One that a timer starts has
none, so it must state it: in a `with` block, or in the bulk calls that take a context for each job.

Such a job is known by its looks: `carries_context = False` in the class, or a base called `CronJob` or
`CronJobQueue` or something that ends in `CronJob`, or a base of the same file that is one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pillion.cli.lint.model import FunctionNode, JobCode, Module, dotted, last_part

_PUSHES = frozenset(
    "perform_async perform_in perform_at perform_bulk bulk_perform_in perform_chunked".split()  # noqa: SIM905
)
_STATING = frozenset({"with_context", "context", "no_context"})


def unstated_pushes(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """The pushes of timed jobs outside of any block that states a context, each with the label of its job."""
    timed: set[str] = set()
    for job in module.jobs:
        if isinstance(job.node, ast.ClassDef) and _is_timed(job.node, timed):
            timed.add(job.node.name)
            yield from ((push, _label(job, method)) for method, push in _pushes_of(job.node))


def _label(job: JobCode, method: FunctionNode) -> str:
    return f"{job.node.name}.{method.name}"


def _is_timed(node: ast.ClassDef, timed: set[str]) -> bool:
    says = _carries_context(node)
    if says is not None:
        return not says
    names = [last_part(dotted(base, {})) for base in node.bases]
    return any(name in timed or name == "CronJobQueue" or name.endswith("CronJob") for name in names)


def _carries_context(node: ast.ClassDef) -> bool | None:
    """What the class itself says about `carries_context`; None for nothing."""
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="carries_context")], value=ast.Constant(value=bool(says)))
                | ast.AnnAssign(target=ast.Name(id="carries_context"), value=ast.Constant(value=bool(says)))
            ):
                return says
            case _:
                continue
    return None


def _pushes_of(node: ast.ClassDef) -> Iterator[tuple[FunctionNode, ast.Call]]:
    for method in node.body:
        if isinstance(method, FunctionNode):
            for push in _unstated(method):
                yield method, push


def _unstated(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.With | ast.AsyncWith) and any(map(_states_context, node.items)):
        return
    if isinstance(node, ast.Call) and _is_push(node.func):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _unstated(child)


def _states_context(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and last_part(dotted(call.func, {})) in _STATING


def _is_push(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr == "aio":
        return _is_push(function.value)
    return function.attr in _PUSHES
