"""The tables at the end of many seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from chaos import diary as causes
from chaos.recovery import percentile

Result = dict[str, Any]


def recovery(results: Sequence[Result], why: str) -> dict[str, float]:
    """How many jobs had been cut off by this, and how long they waited."""
    values = [value for each in results for value in each.get("waits_s", {}).get(why, [])]
    if not values:
        return {"jobs": 0}
    found = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}
    return {"jobs": len(values), **found}


def summary(results: Sequence[Result]) -> Table:
    """A row for each run, one for all storms together, one for all that was calm."""
    table = Table(box=None, pad_edge=False)
    for name in ("seed", "jobs", "lost", "run again", "after a worker was killed", "after a host was lost", "verdict"):
        table.add_column(name, justify="left" if name in ("seed", "verdict") else "right", no_wrap=True)
    for each in results:
        table.add_row(f"{each['seed']} {each['variant']}".rstrip(), *_cells([each]))
    for title, calm in (("all storms", False), ("all calm", True)):
        some = [each for each in results if (each["variant"] == "calm") is calm]
        if len(some) > 1:
            table.add_row(title, *_cells(some), style="bold")
    return table


def by_cause(results: Sequence[Result]) -> Table:
    """Why jobs ran again: a row for each cause, a column for each run."""
    causes_found: Counter[str] = Counter()
    for each in results:
        causes_found.update(each.get("repeated", {}))
    table = Table(box=None, pad_edge=False)
    table.add_column("run again, as", no_wrap=True)
    for each in results:
        table.add_column(f"{each['seed']}{each['variant'][:1]}", justify="right", no_wrap=True)
    table.add_column("all", justify="right", style="bold", no_wrap=True)
    for why, count in causes_found.most_common():
        counts = [each.get("repeated", {}).get(why, 0) for each in results]
        table.add_row(why, *(str(number or "") for number in counts), str(count))
    return table


def _cells(results: Sequence[Result]) -> list[str]:
    faults: Counter[str] = Counter()
    for each in results:
        faults.update(each["faults"])
    lost = sum(count for what, count in faults.items() if what.startswith("lost"))
    again = sum(sum(each.get("repeated", {}).values()) for each in results)
    waits = [_shown(recovery(results, why)) for why in (causes.WORKER_KILLED, causes.HOST_LOST)]
    verdict = "FAILED: " + ", ".join(faults) if any(each["failed"] for each in results) else "kept"
    return [f"{sum(each.get('jobs', 0) for each in results):,}", str(lost), str(again), *waits, verdict]


def _shown(found: dict[str, float]) -> str:
    if not found["jobs"]:
        return "-"
    return f"{found['p50']:.2f} / {found['p99']:.2f} / {found['max']:.2f} ({found['jobs']})"
