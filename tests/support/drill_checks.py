"""What must be true at the end of every drill."""

from __future__ import annotations

from drill import Fleet, balance, places
from worker_process import wait_until


def assert_clean(fleet: Fleet) -> None:
    """Nothing is left of the dead, and after a stop nothing of the living."""
    raw = fleet.raw
    living = {name.encode() for name in fleet.run.identities if int(name.split(":")[1]) in fleet.run.workers}
    wait_until(
        lambda: set(raw.hkeys("pl:owners")) == living,  # type: ignore[arg-type]
        "the dead to be struck off",
        lambda: f"{living}\n{raw.hkeys('pl:owners')}\n{fleet.own_log}",
    )
    assert {*raw.scan_iter("pl:alive:*")} == {b"pl:alive:" + name for name in living}
    assert fleet.run.stop() == 0
    assert [*raw.scan_iter("{queue:*}:*"), *raw.scan_iter("pl:alive:*"), *raw.scan_iter("pl:owners")] == []
    assert places(raw) == []


def assert_balanced(fleet: Fleet) -> None:
    """Each job ran to its end, and each settled run was counted once, in total and by day."""
    result = balance(fleet)
    print(result)
    assert result.lost == 0, result
    assert result.unexplained == [], result
    days = [
        sum(int(fleet.raw.get(key) or 0) for key in fleet.raw.scan_iter(f"stat:{what}:*"))
        for what in ("processed", "failed")
    ]
    assert [fleet.processed, fleet.failed] == [result.jobs + result.failed, result.failed]
    assert days == [fleet.processed, fleet.failed]
