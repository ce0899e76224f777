"""The tables that `make chaos-long` ends with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from chaos import diary as causes
from chaos.long import Order, _commit, _orders, _totals
from chaos.summary import by_cause, recovery, summary

STORM = {
    "seed": 1, "variant": "", "failed": False, "jobs": 1000, "faults": {},
    "repeated": {"asleep past its lease (running)": 3}, "waits_s": {causes.WORKER_KILLED: [0.1, 0.2, 0.9]},
}  # fmt: skip
CALM = STORM | {"seed": 2, "variant": "calm", "repeated": {}, "waits_s": {causes.HOST_LOST: [30.0]}}
BROKEN = {"seed": 3, "variant": "sentinel", "failed": True, "faults": {"lost": 2, "lost (seen on the way)": 1}}


def test_ten_seeds_the_last_two_under_a_sentinel_and_calm_ones():
    orders = _orders(10, 1, 2)
    assert [order.name for order in orders[:8]] == [f"seed-{n}" for n in range(1, 9)]
    assert orders[8:] == [Order(9, "sentinel"), Order(10, "sentinel"), Order(1, "calm"), Order(2, "calm")]


def test_recovery_has_the_middle_and_the_worst():
    found = recovery([STORM, CALM], causes.WORKER_KILLED)
    assert (found["jobs"], found["p50"], found["max"]) == (3, 0.2, 0.9)
    assert recovery([CALM], causes.WORKER_KILLED) == {"jobs": 0}


def test_totals_count_what_storms_lost_and_how_calm_ones_recover():
    totals = _totals([STORM, BROKEN, CALM])
    assert (totals["lost"], totals["failed"], totals["seeds"]) == (3, ["sentinel-3"], [1, 3])
    assert totals["jobs"] == {"storm": 1000, "calm": 1000}
    assert totals["recovery"]["host"]["p99"] == pytest.approx(30.0)
    assert totals["recovery"]["worker"]["jobs"] == 0
    assert totals["recovery"]["worker"]["storm"]["jobs"] == 3


def test_the_commit_is_empty_where_there_is_no_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _commit() == ""


def test_tables_have_a_run_without_a_verdict_too():
    console = Console(width=160, record=True)
    console.print(summary([STORM, BROKEN, CALM]), by_cause([STORM, BROKEN, CALM]))
    text = console.export_text()
    assert "FAILED: lost" in text
    assert "0.20 / 0.90 / 0.90 (3)" in text
    assert "asleep past its lease (running)" in text
