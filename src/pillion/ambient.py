"""Context that travels with jobs (F129): who or what a piece of work is for.

    with pillion.context(user="ann", project="shop"):
        CompleteOrder.perform_async(42)

The facts are stored in the payload of each job that is pushed inside the block, under `meta.user` and
`meta.project`. They stand in every log line of that job, and in the payloads of the jobs it pushes, and so on.

Design record. Nothing is set up when such a job runs: the facts that hold are the running job's own, read from its
payload when a line is written or a job is pushed (`log.carried`). Hence no middleware, and no cost for the jobs of
those who do not use it. A block inside a job lays its facts over those of the job.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from pillion.errors import ConfigError
from pillion.log import META, carried, carry, carrying

Fact = str | int | float | bool


@contextmanager
def context(**facts: Fact | None) -> Generator[None]:
    """Inside the block, log lines and the jobs pushed there carry `facts` in addition to those that hold already.

    A fact is a text, a number or a bool, and its name an identifier; None takes one away. It belongs to this thread
    or task. What held before comes back at the end of the block, also after an error. Raises ConfigError for what is
    no fact.
    """
    with carrying(_merged(facts)):
        yield


def begin_context(**facts: Fact | None) -> None:
    """As `context`, for all that follows in this thread or task: for the first step inside of a copied context."""
    carry(_merged(facts))


@contextmanager
def no_context() -> Generator[None]:
    """Inside the block nothing is carried: neither log lines nor the jobs pushed there have any facts."""
    with carrying({}):
        yield


def current_context() -> dict[str, Fact]:
    """The facts that hold here and now, by name: a copy."""
    return {key.removeprefix(META): value for key, value in carried().items()}


def as_keys(facts: Mapping[str, Fact | None]) -> dict[str, Fact]:
    """The facts as keys of a payload, without those that are None. Raises ConfigError for what is no fact."""
    return {META + _named(name): _checked(name, value) for name, value in facts.items() if value is not None}


def _merged(facts: Mapping[str, Fact | None]) -> dict[str, Fact]:
    merged = {**carried(), **as_keys(facts)}
    return {key: value for key, value in merged.items() if facts.get(key.removeprefix(META), value) is not None}


def _named(name: object) -> str:
    if isinstance(name, str) and name.isidentifier():  # a map, or `**` of one, may have any
        return name
    hint = "It becomes a key of payloads and log lines. Example: user, project_id."
    raise ConfigError("context", "names as those of Python's variables", name, hint)


def _checked(name: str, value: object) -> Fact:
    if type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value)):
        return value  # type: ignore[return-value]
    hint = "It is copied into each payload and log line: pass the name or the id of the thing."
    raise ConfigError(f"context.{name}", "a text, a number or a bool", value, hint)
