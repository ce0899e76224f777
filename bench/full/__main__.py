"""`python -m bench.full`: Pillion against every peer, scenario by scenario. `make bench-full` prepares what it needs.

All of it takes 48 minutes on two quiet cores; nothing else should run meanwhile. It may be stopped at any time: what
was measured is kept in bench/out, and the next call goes on from there.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.full import compare, page, report
from bench.full.driver import Driver, cells
from bench.full.machine_facts import about, versions
from bench.full.progress import Screen
from bench.full.record import Record
from bench.full.roster import PEERS, ROOT, Contestant, chosen
from bench.full.scenario import Sizes
from bench.full.scenarios import ALL
from bench.full.scenarios import chosen as chosen_scenarios
from bench.full.stage import Stage
from bench.machine import PrivateRedis

PATIENCE_S = 60


def main() -> None:
    """Measure what is asked for and not there yet, and report all that is there."""
    options = arguments()
    if options.compare:
        raise SystemExit(compared(*options.compare))
    sizes = Sizes(jobs=options.jobs or (2_000 if options.quick else 200_000), quick=options.quick)
    name = "quick" if options.quick else "full"
    folder = ROOT / "bench" / "out" / (options.out or name)
    scenarios = chosen_scenarios(options.only)
    contestants = chosen(options.contestants)
    if not options.report:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends everything it has started, as Ctrl-C does
        forget = [each.name for each in contestants] if options.fresh else []
        installed = versions()
        records = [
            Record(folder, each, sizes).go_on(sizes, installed, [*forget, *each.floors] if forget else [])
            for each in scenarios
        ]
        measure(options, sizes, contestants, records)
    everything = [Record(folder, each, sizes).load() for each in ALL]
    kept = [record for record in everything if record.rounds]
    to_docs = not options.quick and not options.out
    publish(kept, scenarios, folder, to_docs=to_docs or options.docs, beside=options.beside)


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(prog="python -m bench.full", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios, by name or beginning: drain,latency")
    parser.add_argument("--contestants", default="", help="contestants: pillion,celery")
    parser.add_argument("--rounds", type=int, help="rounds of everything, instead of each scenario's own number")
    parser.add_argument("--jobs", type=int, help="Pillion's no-op jobs in a drain (200,000; 2,000 if quick)")
    parser.add_argument("--quick", action="store_true", help="tiny runs that show that everything works: 8 minutes")
    parser.add_argument("--out", default="", help="keep this run under bench/out/NAME, and its page there")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--report", action="store_true", help="measure nothing, only report")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md, also with --out")
    parser.add_argument("--beside", type=Path, metavar="RUN", help="put a second run (its folder) on the page")
    parser.add_argument("--compare", nargs=2, type=Path, metavar="RUN", help="print the ratios of two runs, and go")
    parser.add_argument("--pin", choices=("auto", "none"), default="auto", help="whether processes get their own cores")
    return parser.parse_args()


def measure(
    options: argparse.Namespace, sizes: Sizes, contestants: Sequence[Contestant], records: Sequence[Record]
) -> None:
    """Run everything on one private Redis."""
    if not PEERS.exists():
        print("bench: the peers are not installed: `make bench-full` does that", file=sys.stderr)
    todo = cells(records, contestants, options.rounds or (1 if sizes.quick else None))
    expected_s = sum(cell.expected_s for cell in todo)
    pinned = options.pin == "auto"
    with (
        PrivateRedis() as server,
        Stage(server, pinned=pinned, patience_s=PATIENCE_S) as stage,
        Screen(expected_s) as screen,
    ):
        driver = Driver(stage, sizes, screen)
        for record in records:
            record.about = about(stage)
        try:
            for cell in todo:
                driver.measure(cell)
        except KeyboardInterrupt:
            print("\nbench: stopped; the same command goes on from here", file=sys.stderr)


def compared(one: Path, other: Path) -> int:
    """Print both; 1 if a ratio differs by more than 20 %."""
    for folder in (one, other):
        if not folder.is_dir():
            raise SystemExit(f"bench: there is no folder {folder}; a run with `--out first` is in bench/out/first")
    records = [compare.loaded(folder) for folder in (one, other)]
    found = compare.ratios(*records)
    for heading, rows in (("Pillion over the others", found), ("Figures to reach", compare.goals(*records))):
        print(f"\n{heading}\n{report.as_text(compare.table(heading, rows))}")
    print(f"\n{compare.summary(found)}")
    return int(any(each.difference > compare.AGREED for each in found))


def publish(
    records: Sequence[Record], asked: Sequence[object], folder: Path, *, to_docs: bool, beside: Path | None
) -> None:
    """Tables in the terminal for what was asked for, the page and the charts for all there is."""
    for record in records:
        if record.scenario in asked:
            print(f"\n{record.scenario.title}")
            for table in report.tables(record):
                print(report.as_text(table), flush=True)
    print("\nFigures to reach\n" + report.as_text(page.goals(records)))
    where = ROOT / "docs" / "benchmarks.md" if to_docs else folder / "benchmarks.md"
    page.write(records, where, where.parent / "benchmarks" if to_docs else folder / "charts", beside)
    print(f"\nwritten: {where.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
