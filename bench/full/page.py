"""docs/benchmarks.md and its charts, written from the records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.full import compare
from bench.full.charts import chart, steps_chart
from bench.full.record import Record
from bench.full.report import Table, as_markdown, tables
from bench.full.targets import chaos, targets

INTRO = """# Benchmarks

Pillion beside its peers. This page is written by `make bench-full`; nobody edits its numbers.

- Every figure is the median of runs that alternate (all contestants, then all again in the opposite order), the
  smallest and largest run in brackets. "Pillion is better by" compares run with run of the same round: x 2 means
  twice as good, below 1 Pillion is worse. Trust the ratios; the absolute numbers are this machine's.
- The floor is what is possible with nothing around it: `redis-benchmark` (Redis alone), redis-py alone, the *prototype*
  (Pillion's way to fetch and acknowledge, and no more) or the *bare loop* (`BRPOP` in ten threads, which loses jobs).
- Every job writes its start and its end into a ledger in shared memory, the same for all. A run counts only if the
  ledger says that every job ran; a contestant that failed is in the tables with its error;
  a table "runs too many" is there only where a job ran more often than it should.
- The settings of each contestant are in [bench/peers/README.md](../bench/peers/README.md). huey and Sidekiq's free
  edition remove a job before it runs, so they lose the jobs of a killed process, and save the work of acknowledging.
- Rates are compared, so slow contestants get fewer no-op jobs. Pillion, Sidekiq and the floors, of which the figures to
  reach are made, run in more rounds than the others; each scenario says how many.
- Chaos is a run of its own, `make chaos-long`: *storms* are seeds in which everything happens at once, and count lost
  jobs; *calm runs* have deaths only, and show how long a job that was cut off waits for its next start.
"""
REPEAT = """## To repeat

`make bench-full` (48 minutes; it may be stopped and goes on where it was) writes this page. `make bench` (2 minutes)
prints a short part: Pillion beside the prototype, and beside Sidekiq if that is installed. Both want a `redis-server`,
and a machine on which nothing else runs meanwhile.

A part of it, with what the first `make bench-full` has installed, or two runs and how far their ratios agree:

    .venv/bin/python -m bench.full --only drain,latency --contestants pillion,celery
    .venv/bin/python -m bench.full --out first
    .venv/bin/python -m bench.full --out second
    .venv/bin/python -m bench.full --compare bench/out/first bench/out/second
"""


def write(records: Sequence[Record], page: Path, charts: Path, beside: Path | None = None) -> None:
    """The page, and an SVG for each figure that it shows. `beside` has a second run to compare with."""
    charts.mkdir(parents=True, exist_ok=True)
    parts = [INTRO, f"## Figures to reach\n\n{as_markdown(goals(records))}\n", *_facts(records), REPEAT]
    if beside is not None:
        parts += _twice(records, compare.loaded(beside))
    for record in records:
        parts.append(f"## {record.scenario.title}\n\n{record.scenario.how}\n\n{_setting(record)}\n")
        parts += _pictures(record, page, charts)
        parts += [_table(table, record) for table in tables(record)]
    page.write_text("\n".join(parts))


def goals(records: Sequence[Record]) -> Table:
    """The figures to reach."""
    rows = [[each.what, each.wanted, each.measured, each.verdict] for each in targets(records)]
    return Table("", ["", "to reach", "measured", ""], rows)


def _facts(records: Sequence[Record]) -> list[str]:
    if not records:
        return []
    about, versions = records[0].about, records[0].versions
    lines = [f"{about['date']}; {about['machine']}; {about['pinned']}."]
    lines += [f"{name} {version}" for name, version in versions.items()]
    if commits := {record.versions.get("pillion", "") for record in records} - {versions.get("pillion", "")}:
        lines.append(f"Some scenarios were measured with pillion {'; '.join(sorted(commits))}")
    if kept := chaos():
        lines.append(f"Chaos: commit {kept.get('commit', '?')}, {len(kept['seeds'])} seeds of {kept['seconds']:.0f} s")
    return ["## Machine and versions\n\n" + "\n".join(f"- {line}" for line in lines) + "\n"]


def _twice(records: Sequence[Record], others: Sequence[Record]) -> list[str]:
    found, twice = compare.ratios(records, others), compare.goals(records, others)
    text = (
        "## The same once more\n\nA second run of all of it. Compared are the ratios of Pillion to each of the others "
        "in the first figure of each scenario, and in all steps where only Sidekiq is beside it: "
        f"{compare.summary(found)}\n"
    )
    return [text, "Figures to reach:\n\n" + as_markdown(compare.table("", twice)) + "\n"]


def _setting(record: Record) -> str:
    about, setup = record.about, record.setup
    rounds = _rounds(record)
    quick = " (a quick run: these numbers show only that everything works)" if setup["quick"] else ""
    return f"*{about['date']}; {rounds}, drains of up to {setup['jobs']:,} jobs; {about['pinned']}{quick}.*"


def _rounds(record: Record) -> str:
    """How many: of Pillion, and of who has fewest."""
    tried = [sum(name in entries for entries in record.rounds) for name in record.names()]
    most, fewest = max(tried), min(tried)
    return "1 round" if most == 1 else f"{most} rounds" if most == fewest else f"{fewest} to {most} rounds"


def _table(table: Table, record: Record) -> str:
    several = len(record.scenario.figures) > 1 and len(record.scenario.who) > 2
    return (f"### {table.heading}\n\n" if several else "") + as_markdown(table) + "\n"


def _pictures(record: Record, page: Path, charts: Path) -> list[str]:
    """A chart of the first figure: the one that the scenario is about. Tables have the rest."""
    if len(record.scenario.who) < 2:
        return []
    drawn = steps_chart(record) if len(record.scenario.who) == 2 else chart(record)
    if drawn is None:
        return []
    target = charts / f"{record.scenario.name}.svg"
    target.write_text(drawn)
    return [f"![{record.scenario.title}]({target.relative_to(page.parent)})\n"]
