"""What `make bench-full` says of its runs: who runs how often, which figures are met, and how two runs compare."""

from __future__ import annotations

import json
import os
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.full import compare, page
from bench.full.charts import chart, steps_chart
from bench.full.driver import cells
from bench.full.progress import Clock
from bench.full.record import Entry, Record
from bench.full.report import tables
from bench.full.roster import ROSTER
from bench.full.scenario import MOST, Scenario, Sizes
from bench.full.scenarios import ALL, footprint
from bench.full.stage import Stage
from bench.full.targets import Target, targets
from bench.machine import PrivateRedis

LOST = "Chaos: lost jobs, and no other promise broken"
SIZES = Sizes(jobs=1000, quick=True)
ABOUT = {"date": "2026-01-01", "machine": "a machine", "pinned": "nothing was pinned"}


def scenario(name: str) -> Scenario:
    return next(each for each in ALL if each.name == name)


@pytest.fixture
def record(tmp_path: Path):
    def make(name: str, *rounds: dict[str, Entry]) -> Record:
        made = Record(tmp_path, scenario(name), SIZES)
        made.about, made.versions = ABOUT, {"pillion": "1"}
        for number, entries in enumerate(rounds):
            for who, entry in entries.items():
                made.put(number, who, entry)
        return made

    return make


def drain(pillion: float, **others: float) -> dict[str, Entry]:
    rates = {"pillion": pillion, **{name.replace("_", "-"): rate for name, rate in others.items()}}
    return {name: {"rate": rate} for name, rate in rates.items()}


def verdicts(*records: Record) -> dict[str, Target]:
    return {each.what: each for each in targets(records)}


def test_pillion_sidekiq_and_the_floors_run_more_often_than_the_others(tmp_path):
    drain1 = Record(tmp_path, scenario("drain1"), SIZES)
    rounds: dict[str, int] = {}
    for cell in cells([drain1], ROSTER, None):
        rounds[cell.name] = rounds.get(cell.name, 0) + 1
    assert (rounds["pillion"], rounds["ruby-sidekiq"], rounds["prototype"], rounds["rq"]) == (7, 7, 7, 4)
    assert len(rounds) == len(ROSTER) + 2


def test_rounds_that_were_asked_for_are_for_everybody(tmp_path):
    drain1 = Record(tmp_path, scenario("drain1"), SIZES)
    assert len(cells([drain1], ROSTER, 1)) == len(ROSTER) + 2


def test_rounds_alternate_and_go_back(tmp_path):
    names = [cell.name for cell in cells([Record(tmp_path, scenario("boot"), SIZES)], ROSTER, 2)]
    assert names[: len(MOST)] == list(MOST)
    assert names[len(MOST) :] == names[: len(MOST)][::-1]


def test_what_is_there_is_not_measured_again_but_an_error_is(record):
    drain1 = record("drain1", {"pillion": {"rate": 1.0}, "rq": {"error": "no"}})
    names = [cell.name for cell in cells([drain1], ROSTER, 1)]
    assert "pillion" not in names
    assert "rq" in names


def test_a_clock_stretches_what_is_left_by_what_was_seen(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    clock = Clock(60.0)
    assert clock.left_s() == 60.0
    clock.done_s = 20.0
    monkeypatch.setattr("time.monotonic", lambda: 140.0)  # twice as slow
    assert clock.left_s() == 80.0


@pytest.mark.parametrize(
    ("values", "at_most", "verdict"),
    [([9, 1, 8], False, "met"), ([7.9], False, "**not met**"), ([7.9], True, "met"), ([], False, "not measured")],
)
def test_a_target_is_judged_by_its_median(values, at_most, verdict):
    assert Target("", "", values, 8, at_most=at_most).verdict == verdict


def test_targets_compare_pair_by_pair(record):
    found = verdicts(record("drain1", drain(80, ruby_sidekiq=10), drain(200, ruby_sidekiq=20)))
    assert found["No-op drain, over ruby-sidekiq"].values == [8, 10]


def test_the_best_peer_and_the_best_that_loses_nothing_are_both_named(record):
    found = verdicts(record("drain1", drain(100, huey=10, dramatiq=5, taskiq=4)))
    assert found["No-op drain, over the best Python peer"].remark == "huey"
    safe = found["The same, best Python peer that acknowledges after the run"]
    assert (safe.remark, safe.values) == ("dramatiq", [20])


def test_what_was_not_measured_is_said():
    assert {each.verdict for each in targets([]) if not each.what.startswith(("Chaos", "Recovery"))} == {"not measured"}


@pytest.fixture
def chaos(tmp_path, monkeypatch):
    def found(**more: object) -> list[str]:
        waits = {"jobs": 5, "p50": 0.1, "p99": 0.5, "max": 0.5}
        kept: dict[str, object] = {"commit": "abc1234", "seeds": [*range(10)], "seconds": 300, "lost": 0, "failed": []}
        kept |= {"jobs": {"storm": 7, "calm": 9}, "recovery": {"worker": waits, "host": {"jobs": 0}}, **more}
        (tmp_path / "long.json").write_text(json.dumps(kept))
        return [verdicts()[what].verdict for what in (LOST, "Recovery after SIGKILL of a worker, calm runs, p99, s")]

    monkeypatch.setattr("bench.full.targets.CHAOS", tmp_path / "long.json")
    return found


@pytest.mark.parametrize(("seeds", "verdict"), [(10, "met"), (3, "not measured")])
def test_chaos_counts_if_it_was_long_enough(chaos, seeds, verdict):
    assert chaos(seeds=[*range(seeds)]) == [verdict] * 2
    assert verdicts()["Recovery after the loss of a host, calm runs, p99, s"].verdict == "not measured"


def test_chaos_is_not_met_if_a_run_broke_any_promise(chaos):
    assert chaos(failed=["seed-3"]) == ["**not met**: seed-3 failed", "met"]
    assert chaos(failed=["seed-3", "calm-1"]) == ["**not met**: seed-3, calm-1 failed", "**not met**: calm-1 failed"]
    assert chaos(failed=None) == ["not measured"] * 2


def test_chaos_says_of_how_many_jobs_and_is_in_no_comparison_of_two_runs(chaos, record):
    chaos()
    assert verdicts()[LOST].measured == "0, of 7 in the storms"
    drain1 = record("drain1", drain(100, ruby_sidekiq=10))
    assert not [each.what for each in compare.goals([drain1], [drain1]) if each.what.startswith(("Chaos", "Recovery"))]


@pytest.mark.parametrize("other", [{"pillion": "2", "rq": "1"}, {"pillion": "1", "rq": "2"}, {"pillion": "1"}])
def test_rounds_of_another_commit_or_version_are_not_gone_on_with(tmp_path, other):
    sizes, now = Sizes(jobs=1000, quick=False), {"pillion": "1", "rq": "1"}
    begun = Record(tmp_path, scenario("drain1"), sizes).go_on(sizes, now)
    begun.put(0, "pillion", {"rate": 1.0})
    assert Record(tmp_path, scenario("drain1"), sizes).go_on(sizes, now).rounds
    with pytest.raises(SystemExit, match="--fresh measures it again"):
        Record(tmp_path, scenario("drain1"), sizes).go_on(sizes, other)
    assert not Record(tmp_path, scenario("drain1"), sizes).go_on(sizes, other, ["pillion"]).rounds


def test_the_worker_is_the_largest_child_or_what_was_started_if_it_has_none(monkeypatch):
    sizes = {1: 90, 2: 30, 3: 40, 4: 35}
    monkeypatch.setattr(footprint, "own_kb", lambda pid: {"Rss:": sizes[pid] * 1024, "Pss:": 1024})
    assert footprint.memory_mb([[1, 2, 3], [4]]) == {"rss": 195, "pss": 4, "worker": 40}
    assert footprint.memory_mb([[1]])["worker"] == 90


def test_the_seconds_of_different_numbers_of_jobs_have_no_ratio(record):
    storm = record("retry", {name: {"rate": 10.0, "seconds": 5.0, "extra": 1} for name in ("pillion", "rq")})
    headers = {table.heading: table.header for table in tables(storm)}
    assert "Pillion is better by" in headers["jobs/s"]
    assert "Pillion is better by" not in [*headers["s"], *headers["runs too many"]]


def test_pages_have_their_time_and_their_weight_in_one_row(record):
    ours = {"overview": 20.0, "overview, KB": 30.4, "search": 50.0, "search, KB": 12.0}
    pages = record("dashboard", {"pillion": ours, "ruby-sidekiq": {"overview": 40.0, "overview, KB": 25.0}})
    (table,) = tables(pages)
    assert table.header[2:] == [
        f"{who}, {unit}" for unit in ("ms", "KB of HTML") for who in ("pillion", "ruby-sidekiq")
    ]
    rows = {row[0]: list(row[1:]) for row in table.rows}
    assert rows["overview"] == ["x 2.00", "20.0", "40.0", "30", "25"]
    assert rows["search"] == ["", "50.0", "", "12", ""]
    drawn = steps_chart(pages)
    assert drawn is not None
    assert "ms, less is better" in drawn
    assert "KB" not in drawn
    assert [each.what for each in compare.ratios([pages], [pages])] == ["dashboard overview: ruby-sidekiq"]


def test_an_error_is_in_a_row_once_for_each(record):
    (table,) = tables(record("dashboard", {"pillion": {"error": "no"}, "ruby-sidekiq": {"overview": 1.0}}))
    assert list(table.rows[0]).count("ERROR in 1 of 1 runs: no") == 1


def test_two_runs_that_agree_and_two_that_do_not(record, tmp_path):
    one = record("drain1", drain(100, ruby_sidekiq=10, dramatiq=4))
    other = Record(tmp_path, replace(scenario("drain1")), SIZES)
    other.scenario = one.scenario
    other.rounds = [drain(100, ruby_sidekiq=11, dramatiq=2)]
    found = {each.what: each.difference for each in compare.ratios([one], [other])}
    assert found["drain1 rate: ruby-sidekiq"] == pytest.approx(0.1)
    assert found["drain1 rate: dramatiq"] == pytest.approx(1.0)
    assert "1 of 2 ratios agree" in compare.summary(compare.ratios([one], [other]))


def test_the_page_and_its_charts_are_written(record, tmp_path):
    records = [
        record("drain1", drain(100, ruby_sidekiq=10, rq=0.1), drain(90, ruby_sidekiq=11, rq=0.1)),
        record("growth-queues", {"pillion": {"1": 5.0, "10": 4.0, "100": 3.0}, "ruby-sidekiq": {"1": 1.0}}),
        record("drain-log", {"pillion": {"log level INFO": 50.0}, "ruby-sidekiq": {"log level INFO": 10.0}}),
        record("data-api", {"pillion": {"Queue.size": 0.1}}),
        record("million", {"pillion": dict.fromkeys(scenario("million").figures, 2.0)}),
    ]
    page.write(records, tmp_path / "page.md", tmp_path / "charts")
    text = (tmp_path / "page.md").read_text()
    assert "x 9.09 (8.18 to 10.00)" in text
    assert "charts/growth-queues.svg" in text
    assert sorted(path.stem for path in (tmp_path / "charts").iterdir()) == ["drain-log", "drain1", "growth-queues"]


def test_the_page_says_which_commits_were_measured(record, tmp_path, chaos):
    chaos()
    drain1, boot = record("drain1", drain(100)), record("boot", {"pillion": {"seconds": 1.0}})
    boot.versions = {"pillion": "0, commit old"}
    page.write([drain1, boot], tmp_path / "page.md", tmp_path / "charts")
    text = (tmp_path / "page.md").read_text()
    assert "Chaos: commit abc1234, 10 seeds of 300 s" in text
    assert "Some scenarios were measured with pillion 0, commit old" in text


def test_ledgers_leave_nothing_behind_after_an_error(tmp_path):
    ours = SimpleNamespace(client=None, folder=str(tmp_path), process=SimpleNamespace(pid=os.getpid()))
    with pytest.raises(OSError, match="stop"), Stage(cast("PrivateRedis", ours), pinned=False, patience_s=1) as stage:
        ledger = stage.next_file("ledger")
        ledger.touch()
        assert stage.next_file("log").parent == tmp_path
        raise OSError("stop")
    assert not ledger.parent.exists()


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.001, 0.002), (3.0, 5.0), (-1.0, 4.0), (123_456.0, 9_999_999.0)])
def test_charts_are_well_formed_whatever_the_figures(record, values):
    one, other = values
    for drawn in (
        chart(record("drain1", drain(one, rq=other), drain(other, rq=one))),
        steps_chart(record("drain-log", {"pillion": {"log level INFO": one}})),
    ):
        assert drawn is not None
        assert ET.fromstring(drawn).tag.endswith("svg")


def test_every_scenario_has_tables(record):
    for each in ALL:
        figures = dict.fromkeys(each.figures or {"Queue.size": 0}, 1.0)
        made = record(each.name, {name: dict(figures) for name in each.who})
        assert all(len(row) == len(table.header) for table in tables(made) for row in table.rows)
