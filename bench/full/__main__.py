"""`python -m bench.full`: Pillion against every peer, scenario by scenario. `make bench-full` prepares what it needs.

May be stopped at any time: what was measured is kept in bench/out, and the next call goes on from there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.full import page, report
from bench.full.driver import Driver
from bench.full.record import Record
from bench.full.roster import PEERS, ROOT, Contestant, chosen
from bench.full.scenario import Sizes
from bench.full.scenarios import ALL
from bench.full.scenarios import chosen as chosen_scenarios
from bench.full.stage import Stage
from bench.machine import PrivateRedis


def main() -> None:
    """Measure what is asked for and not there yet, and report all that is there."""
    options = arguments()
    sizes = Sizes(jobs=options.jobs or (2_000 if options.quick else 100_000), quick=options.quick)
    folder = ROOT / "bench" / "out" / ("quick" if options.quick else "full")
    scenarios = chosen_scenarios(options.only)
    contestants = chosen(options.contestants)
    if not options.report:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends everything it has started, as Ctrl-C does
        forget = [each.name for each in contestants] if options.fresh else []
        records = [
            Record(folder, each, sizes).go_on(sizes, [*forget, *each.floors] if forget else []) for each in scenarios
        ]
        measure(options, sizes, contestants, records)
    everything = [Record(folder, each, sizes).load() for each in ALL]
    publish([record for record in everything if record.rounds], scenarios, folder, to_docs=not options.quick)


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(prog="python -m bench.full", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios, by name or beginning: drain,latency")
    parser.add_argument("--contestants", default="", help="contestants: pillion,celery")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario (5; 1 if quick)")
    parser.add_argument("--jobs", type=int, help="no-op jobs of a drain (100,000; 2,000 if quick)")
    parser.add_argument("--quick", action="store_true", help="tiny runs that show that everything works")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--report", action="store_true", help="measure nothing, only report")
    parser.add_argument("--pin", choices=("auto", "none"), default="auto", help="whether processes get their own cores")
    return parser.parse_args()


def measure(
    options: argparse.Namespace, sizes: Sizes, contestants: Sequence[Contestant], records: Sequence[Record]
) -> None:
    """Run everything on one private Redis."""
    if not PEERS.exists():
        print("bench: the peers are not installed: `make bench-full` does that", file=sys.stderr)
    with PrivateRedis() as server:
        stage = Stage(server, pinned=options.pin == "auto", patience_s=60 if sizes.quick else 300)
        driver = Driver(stage, sizes, options.rounds or (1 if sizes.quick else 5), contestants)
        for record in records:
            record.about = about(stage)
            try:
                driver.measure(record)
            except KeyboardInterrupt:
                print("\nbench: stopped; the same command goes on from here", file=sys.stderr)
                return


def about(stage: Stage) -> dict[str, str]:
    """When, on what, and which cores were whose."""
    text = "nothing was pinned"
    if stage.pinned:
        redis, worker = (",".join(map(str, stage.cores(role))) for role in ("redis", "worker"))
        text = f"Redis and clients on core {redis}, one worker process on {worker}, several on all"
    version = str(stage.client.info("server")["redis_version"])
    machine = f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, Redis {version} over TCP"
    return {"date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": machine, "pinned": text}


def processor() -> str:
    """What kind of processor, as the kernel says it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def publish(records: Sequence[Record], asked: Sequence[object], folder: Path, *, to_docs: bool) -> None:
    """Tables in the terminal for what was asked for, the page and the charts for all there is."""
    for record in records:
        if record.scenario in asked:
            print(f"\n{record.scenario.title}")
            for table in report.tables(record):
                print(report.as_text(table), flush=True)
    where = ROOT / "docs" / "benchmarks.md" if to_docs else folder / "benchmarks.md"
    page.write(records, where, where.parent / "benchmarks" if to_docs else folder / "charts")
    print(f"\nwritten: {where.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
