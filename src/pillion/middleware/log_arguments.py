"""LogArguments: the arguments of a job, by name, in its log lines (F125).

    config.server_middleware.add(LogArguments(hide=["iban"]))

    ... class=shop.ShipJob jid=a66f elapsed=0.2 arguments=order_id=42 country="DE" iban=[FILTERED] INFO: done

They stand in every line from the first of the job's own to `done` or `fail`. Arguments whose name is, or ends in, one
of HIDDEN or `hide` are replaced: a log is read by many.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from pillion.errors import ConfigError
from pillion.log import FILTERED, add_context, running_payload, with_context

HIDDEN: Final = frozenset(
    "password passwd secret token key authorization credential credentials email mail phone ssn iban pin".split()  # noqa: SIM905
)
MAX_CHARS: Final = 200


class LogArguments:
    """Add `arguments` to the log lines of each job.

    Parameters: `hide` are more words to hide, `show` words not to hide; `max_chars` is where one argument is cut.
    A word hides `word` and `..._word`. Arguments without a name (`*args`) are hidden unless they are numbers.
    """

    def __init__(self, hide: Iterable[str] = (), *, show: Iterable[str] = (), max_chars: int = MAX_CHARS) -> None:
        if isinstance(hide, str) or isinstance(show, str):
            raise ConfigError("LogArguments", "lists of names", hide if isinstance(hide, str) else show)
        self._hidden = (HIDDEN | {word.lower() for word in hide}) - {word.lower() for word in show}
        self._max_chars = max_chars
        self._names: dict[Any, tuple[str, ...]] = {}

    def __call__(self, job: Any, payload: dict[str, Any], queue: str) -> Generator[None]:  # noqa: ARG002
        """Run the job with its arguments in the lines."""
        args = payload.get("args")
        text = self.describe(self._names_of(job), cast("Sequence[Any]", args) if isinstance(args, list) else ())
        if running_payload() is None:  # inline, in a test: there is no job log whose end takes the fact away
            with with_context(arguments=text):
                yield
        else:
            add_context(arguments=text)
            yield

    def describe(self, names: Sequence[str], args: Sequence[Any]) -> str:
        """`order_id=42 email=[FILTERED]` for these parameter names and values."""
        named = [self._one(name, value) for name, value in zip(names, args, strict=False)]
        return " ".join([*named, *(self._unnamed(value) for value in args[len(names) :])])

    def _one(self, name: str, value: Any) -> str:
        return f"{name}={FILTERED if self._hides(name) else self._shown(value)}"

    def _hides(self, name: str) -> bool:
        whole = name.lower()
        return not self._hidden.isdisjoint((whole, whole.rpartition("_")[2]))

    def _unnamed(self, value: Any) -> str:
        return str(value) if type(value) in (int, float) else FILTERED

    def _shown(self, value: Any) -> str:
        text = json.dumps(self._masked(value), ensure_ascii=False, default=str)
        return text if len(text) <= self._max_chars else f"{text[: self._max_chars]}..."

    def _masked(self, value: Any) -> Any:
        """A map may hold what is to be hidden, too."""
        if isinstance(value, dict):
            fields = cast("Mapping[str, Any]", value).items()
            return {key: FILTERED if self._hides(key) else self._masked(inner) for key, inner in fields}
        return [self._masked(inner) for inner in cast("Sequence[Any]", value)] if isinstance(value, list) else value

    def _names_of(self, job: Any) -> tuple[str, ...]:
        perform = job.perform
        key = getattr(perform, "__func__", perform)
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = _positional(perform)
        return names


def _positional(perform: Any) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(perform).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(parameter.name for parameter in parameters if parameter.kind in kinds)
