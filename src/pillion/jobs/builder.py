"""From a class or a function to its JobDefinition, with every check that can be made before a push."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pillion.definition.options import check_options
from pillion.definition.registry import FunctionDefinition, JobDefinition, default_wire_name
from pillion.definition.run import JobRun
from pillion.definition.signature import Signature
from pillion.definition.time_limit import check_time_limit
from pillion.errors import ConfigError

# The metrics keys separate with "|", and the routes of the dashboards with "/" and "$" (wire-format 4).
_NOT_IN_A_NAME = "|/$"


def define_class(
    owner: type[JobRun], base: type[JobRun], options: Mapping[str, Any], wire_name: str | None, *, abstract: bool
) -> JobDefinition:
    """The definition of a job class. Without a `perform`, or with `abstract`, it is a base for others."""
    parent: JobDefinition | None = getattr(super(owner, owner), "__job__", None)
    definition = JobDefinition(check_wire_name(wire_name or default_wire_name(owner)), owner, parent=parent)
    if options:
        definition.declare(check_options(options))
    definition.retry_in = _overridden(owner, base, "retry_in", (0, ValueError(), {}))
    definition.on_exhausted = _overridden(owner, base, "on_retries_exhausted", ({}, ValueError()))
    definition.transient_exceptions = owner.transient_exceptions
    perform = getattr(owner, "perform", None)
    definition.is_abstract = abstract or perform is None
    if not definition.is_abstract:
        _check_constructor(owner)
        name = f"{owner.__qualname__}.perform"
        if not callable(perform):
            raise ConfigError(name, "a method", perform)
        _check_runs(name, perform)
        definition.perform = perform
        definition.is_async = inspect.iscoroutinefunction(perform)
        check_time_limit(name, definition.own_options, is_async=definition.is_async)
        definition.signature = Signature.of_class(owner, name)
    return definition


def define_function(
    function: Callable[..., Any], options: Mapping[str, Any], wire_name: str | None
) -> FunctionDefinition:
    """The definition of a job that is a function."""
    if not inspect.isroutine(function):
        raise ConfigError("job", "a function or a coroutine function to decorate", function)
    _check_runs(function.__qualname__, function)
    name = check_wire_name(wire_name or default_wire_name(function))
    definition = FunctionDefinition(name, function)
    definition.perform = function
    definition.is_async = inspect.iscoroutinefunction(function)
    definition.declare(check_options(options))
    definition.signature = Signature.of_function(function, function.__qualname__)
    return definition


def _check_runs(name: str, perform: object) -> None:
    """A generator does nothing when it is called; its body would never run."""
    if inspect.isgeneratorfunction(perform) or inspect.isasyncgenfunction(perform):
        raise ConfigError(name, "a function without yield", "a generator", "Calling it would not run its body.")


def check_wire_name(name: object) -> str:
    """Return a name that every reader of the wire can handle. Raises ConfigError otherwise."""
    if isinstance(name, str) and name and not any(char in _NOT_IN_A_NAME or char.isspace() for char in name):
        return name
    raise ConfigError("wire_name", f"a name without spaces and {' '.join(_NOT_IN_A_NAME)}", name)


def check_hook(name: str, hook: Any, arguments: tuple[Any, ...]) -> Any:
    """Return `hook` if it can be called with so many arguments. Raises ConfigError otherwise."""
    if not callable(hook):
        raise ConfigError(name, "a function", hook)
    try:
        inspect.signature(hook).bind(*arguments)
    except TypeError:
        wanted = "(count, exc, payload)" if len(arguments) == 3 else "(payload, exc)"
        raise ConfigError(
            name,
            f"a function that takes {wanted}",
            str(inspect.signature(hook)),
            "It is called without an instance: in a class make it a @staticmethod.",
        ) from None
    return hook


def _overridden(owner: type, base: type, name: str, arguments: tuple[Any, ...]) -> Any:
    hook = getattr(owner, name)
    return None if hook is getattr(base, name) else check_hook(f"{owner.__qualname__}.{name}", hook, arguments)


def _check_constructor(owner: type) -> None:
    """Each run makes a new instance, and nobody has arguments for it."""
    if owner.__init__ is object.__init__:  # type: ignore[misc]
        return
    try:
        inspect.signature(owner).bind()
    except TypeError:
        raise ConfigError(
            f"{owner.__qualname__}.__init__",
            "no required parameters",
            str(inspect.signature(owner)),
            "Each run makes a new instance; what differs from run to run comes through perform.",
        ) from None
