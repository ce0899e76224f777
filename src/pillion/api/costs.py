"""The table of what each call of the data API costs (F208): `python -m pillion.api.costs > docs/api/costs.md`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from pillion.api.call import Cost, Described

_HEAD = """\
# What each call costs

Made by `python -m pillion.api.costs` from what the calls say themselves (`Queue("mail").size.explain()`
says it too); a test compares it with what Redis saw while it ran the examples of these pages. The commands
are all that a call may send, those inside of its scripts included. Letters are explained where they are used.
"""


class Row(NamedTuple):
    """One call: its name, and what it asks of Redis."""

    name: str
    cost: Cost


def rows() -> Iterator[Row]:
    """Every public call, class by class; an inherited one under the class that defines it, once."""
    package = import_module("pillion.api")
    told: set[str] = set()
    for public in package.__all__:
        value = getattr(package, public)
        for owner in reversed(value.__mro__ if isinstance(value, type) else ()):
            for attribute in vars(owner).values():
                if isinstance(attribute, Described) and attribute.__qualname__ not in told:
                    told.add(attribute.__qualname__)
                    yield Row(attribute.__qualname__, attribute.cost)


def markdown() -> str:
    """The page docs/api/costs.md."""
    lines = ["| call | Redis commands | cost for Redis | round trips |", "|---|---|---|---|"]
    for name, cost in rows():
        commands = ", ".join(f"`{command}`" for command in cost.commands)
        lines.append(f"| `{name}` | {commands} | {cost.cost} | {cost.trips} |")
    return _HEAD + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
