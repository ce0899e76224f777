"""Signature: how the arguments of a push become the list of positions that goes on the wire.

The wire knows positions only. Keywords are bound to their positions when pushing, and a default is
filled in only where a later argument needs it, so the default of a job can change after the push.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any, NoReturn

from pillion.errors import ConfigError, JobArgumentError

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """The parameters of one job. `minimum` and `maximum` are how many positions it takes."""

    __slots__ = ("_positional", "_signature", "maximum", "minimum", "text")

    def __init__(self, signature: inspect.Signature, name: str) -> None:
        parameters = list(signature.parameters.values())
        _refuse_required_keywords(parameters, name)
        self._signature = signature
        self._positional = [one for one in parameters if one.kind in _POSITIONAL]
        self.text = f"{name}{signature.replace(return_annotation=inspect.Signature.empty)}"
        self.minimum = sum(1 for one in self._positional if one.default is Parameter.empty)
        endless = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
        self.maximum = sys.maxsize if endless else len(self._positional)

    @classmethod
    def of_function(cls, function: Callable[..., Any], name: str) -> Signature:
        """The signature of a function that is a job."""
        return cls(inspect.signature(function), name)

    @classmethod
    def of_class(cls, owner: type, name: str) -> Signature:
        """The signature of the `perform` of a class, without `self`."""
        function = inspect.getattr_static(owner, "perform")
        if isinstance(function, staticmethod | classmethod):
            return cls(inspect.signature(owner.perform), name)  # type: ignore[attr-defined]
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        if not parameters or parameters[0].kind not in (*_POSITIONAL, Parameter.VAR_POSITIONAL):
            raise ConfigError("perform", "a method whose first parameter is self", f"{name}{signature}")
        rest = parameters if parameters[0].kind is Parameter.VAR_POSITIONAL else parameters[1:]
        return cls(signature.replace(parameters=rest), name)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The positions for this call. Raises JobArgumentError, naming the signature, if it does not fit."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            self._refuse(str(error))
        given = bound.arguments
        known = [one.name for one in self._positional]
        unsendable = [name for name in kwargs if name not in known]
        if unsendable:
            self._refuse(f"{unsendable[0]!r} can only be passed by keyword, and a job is sent as a list of positions")
        if len(args) > len(known):
            return list(args)
        last = max((index for index, name in enumerate(known) if name in given), default=-1)
        return [given.get(one.name, one.default) for one in self._positional[: last + 1]]

    def check(self, args: Sequence[Any]) -> None:
        """Raise JobArgumentError unless this many positions fit. Costs two comparisons."""
        if not self.minimum <= len(args) <= self.maximum:
            self.bind(args, {})

    def _refuse(self, why: str) -> NoReturn:
        raise JobArgumentError(f"These arguments do not fit {self.text}: {why}.") from None


def _refuse_required_keywords(parameters: Sequence[Parameter], name: str) -> None:
    for one in parameters:
        if one.kind is Parameter.KEYWORD_ONLY and one.default is Parameter.empty:
            raise ConfigError(
                name, "parameters that can be sent by position", one.name, "A job is sent as a list of positions."
            )
