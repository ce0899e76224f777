"""Plans side by side: what they ask goes in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pillion.api.plan import Plan, ask, ask_all, run, together
from pillion.storage.ops.base import Op, command


class Recorder:
    """A storage that keeps what it is asked and answers with the commands' names."""

    def __init__(self) -> None:
        self.trips: list[tuple[str, ...]] = []

    def run(self, op: Op[Any]) -> Any:
        return self.run_all([op])[0]

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        self.trips.append(tuple(str(op.args[0]) for op in ops))
        return [f"<{op.args[0]}>" for op in ops]

    def transaction(self, ops: Sequence[Op[Any]]) -> list[Any]:
        self.trips.append(("MULTI", *(str(op.args[0]) for op in ops)))
        return [f"<{op.args[0]}>" for op in ops]


def one(name: str) -> Plan[Any]:
    return (yield from ask(command(name)))


def steps(*names: str) -> Plan[list[Any]]:
    found = []
    for name in names:
        found.append((yield from ask(command(name))))
    return found


def both(*names: str, atomic: bool = False) -> Plan[list[Any]]:
    return (yield from ask_all([command(name) for name in names], atomic=atomic))


def known(value: Any) -> Plan[Any]:
    yield from ()
    return value


def test_one_trip_for_all() -> None:
    storage = Recorder()
    assert run(together([one("A"), both("B", "C"), one("D")]), storage) == ["<A>", ["<B>", "<C>"], "<D>"]
    assert storage.trips == [("A", "B", "C", "D")]


def test_as_many_trips_as_the_longest_needs() -> None:
    storage = Recorder()
    assert run(together([steps("A", "B", "C"), one("X")]), storage) == [["<A>", "<B>", "<C>"], "<X>"]
    assert storage.trips == [("A", "X"), ("B",), ("C",)]


def test_a_plan_that_asks_nothing_takes_no_trip() -> None:
    storage = Recorder()
    assert run(together([known(5), known(None)]), storage) == [5, None]
    assert storage.trips == []


def test_a_transaction_goes_alone() -> None:
    storage = Recorder()
    found = run(together([one("A"), both("B", "C", atomic=True), one("D")]), storage)
    assert found == ["<A>", ["<B>", "<C>"], "<D>"]
    assert storage.trips == [("A", "D"), ("MULTI", "B", "C")]


def test_they_can_be_nested() -> None:
    storage = Recorder()
    assert run(together([together([one("A"), one("B")]), one("C")]), storage) == [["<A>", "<B>"], "<C>"]
    assert storage.trips == [("A", "B", "C")]


def test_an_error_ends_all_and_closes_them() -> None:
    closed: list[str] = []

    def careful(name: str) -> Plan[Any]:
        try:
            return (yield from ask(command(name)))
        finally:
            closed.append(name)

    class Broken(Recorder):
        def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
            raise OSError("no Redis")

    with pytest.raises(OSError, match="no Redis"):
        run(together([careful("A"), careful("B")]), Broken())
    assert sorted(closed) == ["A", "B"]
