"""CurrentAttributes: what belongs to a request, kept with the jobs that it pushes (F128, behaviour.md 4.2).

    class Current(CurrentAttributes):
        user_id: int | None = None
        tenant: str = "public"

    carry(config, Current)          # or pillion.persist(Current), for the process-wide config

    Current.user_id = 7             # in this thread or task only
    CompleteOrder.perform_async(42) # the payload has "cattr": {"user_id": 7}

When the job runs, `Current.user_id` is 7 again, and afterwards it is what it was before. The key on the wire is that
of Ruby's CurrentAttributes, in the form that every Sidekiq from 6.3 on reads; the list form of 8.0 is read as well.
So the order of the classes counts: the first one is `cattr`, the second `cattr_1`, and so on, in all processes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast

from pillion.errors import ComplexArgument, ConfigError
from pillion.middleware.chain import ClientChain, ServerChain
from pillion.wire.strict import find_complex

Values = Mapping[str, Any]
# What can be persisted: a CurrentAttributes, or names with their ContextVars.
Source = type["CurrentAttributes"] | Mapping[str, ContextVar[Any]]

_NOTHING: Values = MappingProxyType({})


class _Attributes(type):
    """Reading and setting an attribute of the class goes to the thread or task that does it."""

    __declared__: Values
    __values__: ContextVar[Values]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _Attributes:
        own = {key: value for key, value in namespace.items() if _is_attribute(key, value)}
        made = super().__new__(mcs, name, bases, {key: value for key, value in namespace.items() if key not in own})
        inherited: dict[str, Any] = {}
        for base in reversed(bases):
            inherited.update(getattr(base, "__declared__", _NOTHING))
        for missing in _annotated(made) - namespace.keys() - inherited.keys():
            hint = f"Write `{missing}: ... = None`, if nothing else fits."
            raise ConfigError(f"{name}.{missing}", "a default", "none", hint)
        type.__setattr__(made, "__declared__", {**inherited, **own})
        type.__setattr__(made, "__values__", ContextVar(f"pillion_{name}", default=_NOTHING))
        return made

    if not TYPE_CHECKING:  # type checkers know the attributes from the class, and refuse any other name

        def __getattr__(cls, name: str) -> Any:
            declared = type.__getattribute__(cls, "__declared__")
            if name in declared:
                return cls.__values__.get().get(name, declared[name])
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}. It has: {', '.join(declared) or 'none'}.")

        def __setattr__(cls, name: str, value: Any) -> None:
            if name not in cls.__declared__:
                known = ", ".join(cls.__declared__) or "none"
                raise AttributeError(
                    f"{cls.__name__} has no attribute {name!r}: declare it in the class. It has: {known}."
                )
            cls.__values__.set({**cls.__values__.get(), name: value})

    def __dir__(cls) -> Iterable[str]:
        return [*super().__dir__(), *cls.__declared__]


def _annotated(made: type) -> set[str]:
    """The names that the class itself annotates, without those that begin with an underscore."""
    if sys.version_info >= (3, 14):  # annotations may name what is not defined yet
        import annotationlib

        names = annotationlib.get_annotations(made, format=annotationlib.Format.FORWARDREF)
    else:
        names = inspect.get_annotations(made)
    return {name for name in names if not name.startswith("_")}


def _is_attribute(name: str, value: object) -> bool:
    is_code = callable(value) or isinstance(value, property | classmethod | staticmethod)
    return not name.startswith("_") and not is_code


class CurrentAttributes(metaclass=_Attributes):
    """Base of a class whose attributes are set for one thread or task. Each needs a default, which is not stored.

    A value must be plain JSON, because it goes into payloads: ids instead of objects.
    """

    @classmethod
    def set(cls, **values: Any) -> AbstractContextManager[None]:
        """Set attributes for the length of a `with` block. Raises AttributeError for one that is not declared."""
        for name in values:
            if name not in cls.__declared__:
                raise AttributeError(
                    f"{cls.__name__} has no attribute {name!r}. It has: {', '.join(cls.__declared__)}."
                )
        return _in_var(cls.__values__, {**cls.__values__.get(), **values})

    @classmethod
    def reset(cls) -> None:
        """Every attribute is back to its default, in this thread or task."""
        cls.__values__.set(_NOTHING)

    @classmethod
    def attributes(cls) -> dict[str, Any]:
        """Those that have been set here, with their values."""
        return dict(cls.__values__.get())


def carry(config: Chains, *sources: Source) -> None:
    """Have the jobs that are pushed and run with `config` carry these attributes.

    `sources` are CurrentAttributes classes, or maps of names to ContextVars. Call it once, with all of them, on
    the pushing and on the running side alike. Raises ConfigError for anything else, and for a second call.
    """
    slots = slots_of(sources)
    if any(isinstance(entry.factory, _Load) for entry in config.server_middleware):
        raise ConfigError("persist", "one call with all classes: their order is that on the wire", sources)
    config.client_middleware.prepend(_LoadForPush(slots))
    config.client_middleware.add(_Save(slots))
    config.server_middleware.prepend(_Load(slots))


def slots_of(sources: Sequence[Source]) -> list[_Slot]:
    """Each source with its key in the payload. Raises ConfigError for what cannot be carried."""
    if not sources:
        raise ConfigError("persist", "at least one CurrentAttributes class, or map of ContextVars", "none")
    return [_Slot(f"cattr_{index}" if index else "cattr", _carrier(source)) for index, source in enumerate(sources)]


class Chains(Protocol):
    """The part of a Config that is needed here."""

    client_middleware: ClientChain
    server_middleware: ServerChain


# -- what is carried -------------------------------------------------------------------------------------


class _Carrier(Protocol):
    def snapshot(self) -> Values: ...

    def restored(self, values: Values | None) -> AbstractContextManager[None]:
        """Set the known ones among `values`, None for: leave them. Afterwards all is as it was before."""
        ...


class _OfClass:
    def __init__(self, owner: type[CurrentAttributes]) -> None:
        self._owner = owner

    def snapshot(self) -> Values:
        return self._owner.__values__.get()

    def restored(self, values: Values | None) -> AbstractContextManager[None]:
        var = self._owner.__values__
        if values is None:
            return _in_var(var, var.get())
        return _in_var(var, {name: value for name, value in values.items() if name in self._owner.__declared__})


class _OfVars:
    def __init__(self, variables: Mapping[str, ContextVar[Any]]) -> None:
        self._variables = dict(variables)

    def snapshot(self) -> Values:
        missing = object()
        found = {name: var.get(missing) for name, var in self._variables.items()}
        return {name: value for name, value in found.items() if value is not missing}

    @contextmanager
    def restored(self, values: Values | None) -> Generator[None]:
        wanted = self.snapshot() if values is None else values
        with ExitStack() as stack:
            for name, value in wanted.items():
                if name in self._variables:
                    stack.enter_context(_in_var(self._variables[name], value))
            yield


def _carrier(source: object) -> _Carrier:
    given = source
    if isinstance(source, _Attributes):
        return _OfClass(cast("type[CurrentAttributes]", source))
    if isinstance(source, Mapping):
        variables = dict(cast("Mapping[str, Any]", source))
        if all(isinstance(variable, ContextVar) for variable in variables.values()):
            return _OfVars(variables)
    raise ConfigError("persist", "CurrentAttributes classes, or maps of names to ContextVars", given)


@contextmanager
def _in_var(var: ContextVar[Any], value: Any) -> Generator[None]:
    token = var.set(value)
    try:
        yield
    finally:
        var.reset(token)


# -- the middleware --------------------------------------------------------------------------------------


class _Slot:
    """One source and its key in the payload."""

    def __init__(self, key: str, carrier: _Carrier) -> None:
        self.key = key
        self._carrier = carrier

    def save(self, payload: dict[str, Any]) -> None:
        """The first writer wins: a retry, or the scheduler, must not write over what the push has stored."""
        if self.key in payload:
            return
        values = self._carrier.snapshot()
        if not values:
            return
        if (offender := find_complex(dict(values))) is not None:
            kind = type(offender.value).__qualname__
            raise ComplexArgument(
                f"{self.key}{offender.path}: current attributes are stored in the payload, so they must be plain JSON, "
                f"but here is one of type {kind}. Keep its id, and look it up in the job."
            )
        payload[self.key] = dict(values)

    def restored(self, payload: Values) -> AbstractContextManager[None]:
        return self._carrier.restored(read_attributes(payload[self.key]) if self.key in payload else None)


class _LoadForPush:
    def __init__(self, slots: list[_Slot]) -> None:
        self._slots = slots

    def __call__(self, job_class: Any, payload: dict[str, Any], queue: str, redis_pool: Any) -> Iterator[None]:  # noqa: ARG002
        """What is pushed again (the scheduler does) is pushed in the context it came with."""
        yield from _inside(self._slots, payload)


class _Save:
    def __init__(self, slots: list[_Slot]) -> None:
        self._slots = slots

    def __call__(self, job_class: Any, payload: dict[str, Any], queue: str, redis_pool: Any) -> Iterator[None]:  # noqa: ARG002
        for slot in self._slots:
            slot.save(payload)
        yield


class _Load:
    runs_in_child = True  # for jobs with execution="process": context variables do not cross

    def __init__(self, slots: list[_Slot]) -> None:
        self._slots = slots

    def __call__(self, job: Any, payload: dict[str, Any], queue: str) -> Iterator[None]:  # noqa: ARG002
        yield from _inside(self._slots, payload)


def _inside(slots: list[_Slot], payload: Values) -> Generator[None]:
    with ExitStack() as stack:
        for slot in slots:
            stack.enter_context(slot.restored(payload))
        yield


# -- the wire --------------------------------------------------------------------------------------------


def read_attributes(stored: Any) -> Values:
    """The attributes in either form of the wire (wire-format 4.2); what cannot be read is left out.

    An object that Ruby wrote by its global id comes as that id, a text.
    """
    found: dict[str, Any] = {}
    for pair in _pairs(stored):
        if isinstance(pair, list | tuple) and len(cast("Sequence[Any]", pair)) == 2:
            name, value = map(_plain, cast("Sequence[Any]", pair))
            if isinstance(name, str) and not name.startswith("_aj_"):
                found[name] = value
    return found


def _pairs(stored: Any) -> Iterable[Any]:
    if isinstance(stored, dict):
        return cast("Mapping[str, Any]", stored).items()
    return cast("Sequence[Any]", stored) if isinstance(stored, list) else ()


def _plain(value: Any) -> Any:
    """A value without what Active Job wraps around it."""
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("Sequence[Any]", value)]
    if not isinstance(value, dict):
        return value
    mapping = cast("Mapping[str, Any]", value)
    if "_aj_globalid" in mapping:
        return mapping["_aj_globalid"]
    if "_aj_serialized" in mapping and "value" in mapping:
        return mapping["value"]
    return {key: _plain(inner) for key, inner in mapping.items() if not key.startswith("_aj_")}
