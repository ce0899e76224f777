"""From an iterable job class to the `perform` that a worker calls, with the checks of the class statement."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager
from inspect import Parameter
from typing import Any

from pillion.errors import ConfigError
from pillion.iterable.iteration import Around

NEEDED = ("build_enumerator", "each_iteration")
_HOOKS = ("on_start", "on_resume", "on_stop", "on_cancel", "on_complete")
_SECONDS = ("flush_every_s", "check_cancelled_every_s", "max_iteration_runtime_s")


def is_complete(owner: type) -> bool:
    """Whether the class has all it needs; else it is a base for others."""
    return all(hasattr(owner, name) for name in NEEDED)


def is_async(owner: type) -> bool:
    """Whether any of its methods has to be awaited: then the job runs on an event loop."""
    methods = [getattr(owner, name, None) for name in (*NEEDED, *_HOOKS, "around_iteration")]
    return any(_is_async_function(method) for method in methods)


def refuse_perform(owner: type, root: type) -> None:
    """Raise ConfigError if the class has a `perform` of its own."""
    for base in owner.__mro__:
        if "perform" in vars(base) and not issubclass(base, root):
            place = base.__qualname__
        elif "perform" in vars(base) and not hasattr(vars(base)["perform"], "__iterates__"):
            place = owner.__qualname__
        else:
            continue
        hint = "An iterable job has build_enumerator and each_iteration in its place."
        raise ConfigError(f"{place}.perform", "not to be defined", vars(base)["perform"], hint)


def check_settings(owner: type) -> None:
    """Raise ConfigError for a setting of the class that is no number of seconds, or lacks the `_s` of its name."""
    for name in _SECONDS:
        value = getattr(owner, name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and value >= 0) and not (value is None and name == "max_iteration_runtime_s"):
            raise ConfigError(f"{owner.__qualname__}.{name}", "seconds, 0 or more", value)
        short = name.removesuffix("_s")
        if isinstance(vars(owner).get(short), int | float):
            raise ConfigError(f"{owner.__qualname__}.{short}", f"the name {name}", f"{short} = {vars(owner)[short]}")


def marked(perform: Callable[..., Any], owner: type) -> Callable[..., Any]:
    """`perform` as ours, with the signature that pushes are checked against."""
    perform.__signature__ = signature_of(owner)  # type: ignore[attr-defined]
    perform.__iterates__ = True  # type: ignore[attr-defined]
    perform.__qualname__ = f"{owner.__qualname__}.perform"
    return perform


def signature_of(owner: type) -> inspect.Signature:
    """What a push takes: the parameters of `each_iteration` after the item. Raises ConfigError if the two differ."""
    build, each = (inspect.signature(getattr(owner, name)) for name in NEEDED)
    where = f"{owner.__qualname__}.each_iteration"
    parameters = list(each.parameters.values())
    first_two = [one.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD) for one in parameters[:2]]
    if first_two != [True, True]:
        raise ConfigError(where, "a method that takes self, the item, and then the job's arguments", str(each))
    signature = inspect.Signature([parameters[0], *parameters[2:]])
    _check_builder(build, parameters[2:], f"{owner.__qualname__}.build_enumerator")
    return signature


def around_of(owner: type, root: type) -> Around | None:
    """What to enter around each item: None if the class has nothing to say about it. Raises ConfigError."""
    around: Any = getattr(owner, "around_iteration", None)
    if around is getattr(root, "around_iteration", None):
        return None
    if inspect.isasyncgenfunction(around):
        return asynccontextmanager(around)
    if inspect.isgeneratorfunction(around):
        return contextmanager(around)
    if hasattr(around, "__wrapped__"):  # decorated already
        return around  # type: ignore[no-any-return]
    hint = "What is before the `yield` happens before the item, what is after it afterwards."
    raise ConfigError(f"{owner.__qualname__}.around_iteration", "a generator function with one `yield`", around, hint)


def _check_builder(build: inspect.Signature, extra: list[Parameter], name: str) -> None:
    """The two methods are called with the same arguments."""
    endless = any(one.kind is Parameter.VAR_POSITIONAL for one in extra)
    positional = [one for one in extra if one.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    required = [one for one in positional if one.default is Parameter.empty]
    counts = {len(required)} if endless else {len(required), len(positional)}
    try:
        for count in sorted(counts):
            build.bind(None, *[None] * count, cursor=None)
    except TypeError as error:
        hint = "The same arguments as each_iteration, without the item, and then `*, cursor`."
        raise ConfigError(name, "to take what each_iteration takes", f"{build} ({error})", hint) from None


def _is_async_function(method: Any) -> bool:
    inner = getattr(method, "__wrapped__", method)
    return any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in (method, inner))
