"""The scenarios, one module each. `ALL` has them in the order in which they run."""

from __future__ import annotations

from bench.full.scenario import Scenario
from bench.full.scenarios import (
    aio,
    boot,
    cpu,
    cpu_process,
    dashboard,
    data_api,
    drain,
    enqueue,
    footprint,
    growth,
    io,
    latency,
    million,
    retry,
    schedule,
)

ALL: tuple[Scenario, ...] = (
    *drain.SCENARIOS,
    *enqueue.SCENARIOS,
    latency.SCENARIO,
    io.SCENARIO,
    *aio.SCENARIOS,
    cpu.SCENARIO,
    cpu_process.SCENARIO,
    retry.SCENARIO,
    schedule.SCENARIO,
    footprint.SCENARIO,
    boot.SCENARIO,
    *growth.SCENARIOS,
    million.SCENARIO,
    data_api.SCENARIO,
    dashboard.SCENARIO,
)


def chosen(names: str) -> list[Scenario]:
    """Those that a comma-separated list names, whole or by their beginning; all for an empty one."""
    wanted = [name for name in names.split(",") if name]
    unknown = [name for name in wanted if not any(each.name.startswith(name) for each in ALL)]
    if unknown:
        raise SystemExit(f"bench: no scenario {', '.join(unknown)}; there are {', '.join(each.name for each in ALL)}")
    return [each for each in ALL if not wanted or any(each.name.startswith(name) for name in wanted)]
