"""JobDefinition and Registry: what this process knows about each job, by its name on the wire.

A payload is only data: its class is looked up here and never imported, so nobody who can write to
Redis can choose which code runs.
"""

from __future__ import annotations

import difflib
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pillion.definition.execution import PROCESS, THREAD, combined
from pillion.definition.run import FunctionRun, RunContext
from pillion.definition.signature import Signature
from pillion.definition.time_limit import TIMEOUT_S, check_time_limit
from pillion.errors import ConfigError, InvalidJob, UnknownJobClass

# What every job has unless something says otherwise (behaviour.md 2), in the order of the wire.
BASE_OPTIONS: Final[Mapping[str, Any]] = {"retry": True, "queue": "default"}

RetryIn = Callable[[int, BaseException, dict[str, Any]], Any]
OnExhausted = Callable[[dict[str, Any], BaseException], Any]


class JobDefinition:
    """One job: its name, its code, its options and its hooks.

    `own_options` are wire keys, declared on the job or its bases; `options` has Sidekiq's defaults
    under them. `minimum` and `maximum` (of `signature`) say how many positions it takes.
    `retry_in(count, exc, payload)` and `on_exhausted(payload, exc)` are None unless declared.
    `is_abstract` marks a base class, which can be neither pushed nor found. What is asked for each job is known in
    advance: `runs_in_thread` (a worker just calls `perform`), `is_isolated`, and `time_limit_s`, None: none.
    """

    __slots__ = (
        "_declared",
        "_parent",
        "factory",
        "is_abstract",
        "is_async",
        "is_isolated",
        "on_exhausted",
        "perform",
        "retry_in",
        "runs_in_thread",
        "signature",
        "time_limit_s",
        "transient_exceptions",
        "wire_name",
    )

    factory: Any

    def __init__(self, wire_name: str, factory: Any, *, parent: JobDefinition | None = None) -> None:
        self.wire_name = wire_name
        self.factory = factory
        self.perform: Callable[..., Any] | None = None
        self.signature: Signature | None = None
        self.is_async = False
        self.is_abstract = False
        self.runs_in_thread = True
        self.is_isolated = False
        self.time_limit_s: float | None = None
        self.retry_in: RetryIn | None = None
        self.on_exhausted: OnExhausted | None = None
        self.transient_exceptions: Sequence[type[BaseException] | str] = ()
        self._parent = parent
        self._declared: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.wire_name}>"

    @property
    def own_options(self) -> dict[str, Any]:
        """The options declared here, or else those of the nearest base that declared some, as they are now."""
        node: JobDefinition | None = self
        while node is not None:
            if node._declared is not None:
                return node._declared
            node = node._parent
        return {}

    @property
    def options(self) -> dict[str, Any]:
        """`own_options` over `retry: True, queue: "default"`."""
        return {**BASE_OPTIONS, **self.own_options}

    @property
    def execution(self) -> str:
        """Where it runs: "thread", which is the worker itself, or "process"."""
        declared = self._declared if self._declared is not None else self.own_options
        return str(declared.get("execution", THREAD))

    def declare(self, options: Mapping[str, Any]) -> None:
        """Set options. The first time, those of the base are copied: its later changes are not seen.

        Raises ConfigError for options that do not go together.
        """
        declared = combined(self.own_options, options)
        if self.perform is not None:
            check_time_limit(self.wire_name, declared, is_async=self.is_async)
        self._declared = declared
        self.refresh()

    def refresh(self) -> None:
        """Work out anew what is known in advance, also for the subclasses that follow the options of this one."""
        self.is_isolated = self.execution == PROCESS
        self.runs_in_thread = not self.is_async and not self.is_isolated
        self.time_limit_s = self.own_options.get(TIMEOUT_S)
        if isinstance(self.factory, type):
            subclasses: list[type] = type.__subclasses__(self.factory)
            for subclass in subclasses:
                own: JobDefinition | None = vars(subclass).get("__job__")
                if own is not None and own._declared is None:
                    own.refresh()

    def check(self, args: Sequence[Any]) -> None:
        """Raise JobArgumentError unless `args` fit the signature of the job."""
        if self.signature is not None:
            self.signature.check(args)

    def new(self, payload: Mapping[str, Any], context: RunContext | None = None) -> Any:
        """An object for one run, with `perform`; a new one each time, so that no state leaks."""
        run = self.factory()
        run.__payload__ = payload
        run.__context__ = context
        return run


class FunctionDefinition(JobDefinition):
    """A job that is a function: `perform` is that function."""

    __slots__ = ()

    def new(self, payload: Mapping[str, Any], context: RunContext | None = None) -> Any:
        """An object for one run, whose `perform` is the function."""
        return FunctionRun(self.factory, payload, context, self.transient_exceptions)


class Registry:
    """The jobs of one process, by wire name."""

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition] = {}
        self._lock = threading.Lock()

    def register(self, definition: JobDefinition) -> None:
        """Make a job findable. Raises ConfigError if another one has its name.

        The same class defined again (a reloaded module, a notebook cell) replaces the old one.
        """
        if definition.is_abstract:
            raise InvalidJob("class", f"{definition.wire_name} is a base class without perform: nothing to register.")
        with self._lock:
            known = self._definitions.get(definition.wire_name)
            if known is not None and _origin(known.factory) != _origin(definition.factory):
                raise ConfigError(
                    "wire_name",
                    f"a name that only one job has; {_origin(known.factory)} is called so already",
                    definition.wire_name,
                    "Give one of them another name with wire_name=...",
                )
            definition.refresh()
            self._definitions[definition.wire_name] = definition

    def find(self, name: str) -> JobDefinition:
        """The job of that name. Raises UnknownJobClass, with what to do about it; also for what is no text."""
        definition = self._definitions.get(name) if type(name) is str else None
        if definition is None:
            raise UnknownJobClass(self._unknown(name))
        return definition

    def names(self) -> list[str]:
        """All wire names, in the order of registration."""
        return list(self._definitions)

    def _unknown(self, name: object) -> str:
        near = difflib.get_close_matches(str(name), self._definitions, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return (
            f"No job named {name!r} is registered in this process, which knows {len(self._definitions)}.{hint} "
            "Name its module in `pillion run` or in EmbeddedWorker(require=[...]), "
            "or set wire_name= if it has another name here."
        )


def default_wire_name(factory: Any) -> str:
    """`module.QualName`. The script that is being run is called by its file name, as a worker would import it."""
    module = factory.__module__
    return f"{_main_name() if module == '__main__' else module}.{factory.__qualname__}"


def _main_name() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return _module_of(Path(file), Path.cwd()) if file else "__main__"


def _module_of(path: Path, directory: Path) -> str:
    """`shop.jobs` for shop/jobs.py below `directory`, where a worker would be started; else its bare name."""
    try:
        parts = path.resolve().relative_to(directory.resolve()).with_suffix("").parts
    except ValueError:
        return path.stem
    return ".".join(parts) if all(part.isidentifier() for part in parts) else path.stem


def _origin(factory: Any) -> str:
    return f"{factory.__module__}.{factory.__qualname__}"
