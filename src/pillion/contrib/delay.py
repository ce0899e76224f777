"""delay: class methods and module functions as jobs, without making jobs of them one by one (F014).

    delay.enable(User, billing)                 where the worker loads it too
    delay(User).sync_images(3)                  pushes the job "shop.models.User.sync_images"
    delay(billing, queue="low").close_month(5)

Opt-in, for every function that is enabled may be called by whoever can write to Redis. `enable` enters
each into the registry of jobs, under its dotted name; a payload only names one, and nothing is ever
imported for it. So these are jobs like all others: their arguments are checked, they are retried,
and they may be async.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pillion import job
from pillion.definition.registry import default_wire_name
from pillion.errors import ComplexArgument, ConfigError
from pillion.jobs.base import FunctionJob, JobDecorator
from pillion.jobs.calls import PerformAsync

Target = type | ModuleType
Jobs = dict[str, FunctionJob[..., Any]]


class Delayed:
    """A target whose functions push themselves: `.name(...)`, and `await .name.aio(...)`. See `delay`."""

    def __init__(self, target: Target, jobs: Jobs, options: dict[str, Any]) -> None:
        self._target = target
        self._jobs = jobs
        self._options = options

    def __getattr__(self, name: str) -> PerformAsync[...]:
        found = self._jobs.get(name)
        if found is None:
            raise AttributeError(_no_such_job(self._target, name, self._jobs))
        return found.set(**self._options).perform_async if self._options else found.perform_async


class Delay:
    """What `delay` is. Its targets are entered at import time, before jobs run."""

    def __init__(self, make_job: JobDecorator) -> None:
        self._make_job = make_job
        self._enabled: dict[Target, Jobs] = {}

    def enable(self, *targets: Target, **options: Any) -> None:
        """Make jobs of the public class and static methods of classes, and of the public functions of modules.

        Of a module only what is defined in it. `options` are job options for all of them. Call it where
        the worker comes by too, for instance below the class. Raises ConfigError, ComplexArgument.
        """
        for target in targets:
            _check_target(target)
            jobs: Jobs = {
                name: self._make_job(wire_name=wire_name, **options)(function)
                for name, wire_name, function in _functions(target)
            }
            if not jobs:
                raise ConfigError("delay.enable", "something with a public class or static method or function", target)
            self._enabled[target] = jobs

    def __call__(self, target: Target, **options: Any) -> Delayed:
        """Call a function of `target` later, in a worker: `delay(User).sync_images(3)` pushes and returns the jid.

        `options` are those of `set`: `queue`, `retry`, `wait` ... Raises ConfigError for a target that was
        not enabled, and ComplexArgument for an instance.
        """
        _check_target(target)
        jobs = self._enabled.get(target)
        if jobs is None:
            hint = f"Call delay.enable({target.__name__}) where the worker loads it too."
            raise ConfigError("delay", "a class or module that was enabled", target, hint)
        return Delayed(target, jobs, options)


def _check_target(target: Any) -> None:
    if isinstance(target, ModuleType) or (inspect.isclass(target) and not hasattr(target, "__job__")):
        return
    if inspect.isclass(target):
        raise ConfigError("delay", "a class that is not a job", target, "Call its perform_async(...).")
    if inspect.isroutine(target) or hasattr(target, "__job__"):
        raise ConfigError("delay", "a class or a module", target, "Make the function a job with @job.")
    kind = type(target).__qualname__
    raise ComplexArgument(
        f"delay: expected a class or a module, got an instance of {kind}. An object cannot travel in a payload, "
        f"and may have changed when the job runs: pass the id, as in delay({kind}).a_class_method(its_id)."
    )


def _functions(target: Target) -> Iterator[tuple[str, str, Any]]:
    """(name, wire name, function) of each function that may be delayed."""
    for name in dir(target):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(target, name)
        if isinstance(target, ModuleType):
            if inspect.isfunction(member) and member.__module__ == target.__name__:
                yield name, default_wire_name(member), member
        elif isinstance(member, classmethod | staticmethod):
            yield name, f"{default_wire_name(target)}.{name}", getattr(target, name)


def _no_such_job(target: Target, name: str, jobs: Jobs) -> str:
    owner = target.__name__
    if isinstance(target, type) and inspect.isfunction(inspect.getattr_static(target, name, None)):
        return (
            f"{owner}.{name} needs an instance, which cannot travel: pass the id. Make it a class method "
            "that takes the id, finds the object and calls this method."
        )
    return f"delay({owner}) has no {name!r}. It has: {', '.join(sorted(jobs))}."


delay = Delay(job)
