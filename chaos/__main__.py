"""`python -m chaos --seed N --seconds S [--sentinel | --calm]`: one run. Exit code 1 if a promise was broken."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from chaos.driver import Driver
from chaos.ledger import Books
from chaos.recovery import waits
from chaos.report import Screen, record, show
from chaos.schedule import Event, calm, plan
from chaos.servers import OneServer, UnderSentinel


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing that was started is left
    events = _events(given)
    repeat = f".venv/bin/python -m chaos --seed {given.seed} --seconds {given.seconds:g}"
    repeat += " --sentinel" * given.sentinel + " --calm" * given.calm
    with Screen(Console(), given.seconds) as screen:
        screen.say(f"seed {given.seed}, {given.seconds:g} s, {len(events)} events. To repeat it: {repeat}")
        if given.plan:
            for event in events:
                screen.say(str(event))
            return 0
        return _run(given, screen, repeat)


def _events(given: argparse.Namespace) -> list[Event]:
    return calm(given.seed, given.seconds) if given.calm else plan(given.seed, given.seconds, sentinel=given.sentinel)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--sentinel", action="store_true", help="a master and a replica that change places")
    parser.add_argument("--calm", action="store_true", help="deaths only, one at a time: figures on recovery")
    parser.add_argument("--plan", action="store_true", help="print the schedule of this seed, and do nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what came out there as well")
    parser.add_argument("--keep", action="store_true", help="keep the ledger, the logs and the data, and say where")
    return parser.parse_args()


def variant(given: argparse.Namespace) -> str:
    """What kind of run this is."""
    return "sentinel" if given.sentinel else "calm" if given.calm else ""


def _run(given: argparse.Namespace, screen: Screen, repeat: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))  # a socket's path must be short
    data = folder / "redis"
    data.mkdir()
    server = (UnderSentinel if given.sentinel else OneServer)(data)
    # Calm runs are for figures on recovery: nobody else is to take the machine's time there.
    driver = Driver(folder, server, given.seed, screen, dashboard=not given.calm)
    failed = True
    try:
        driver.run(_events(given), given.seconds)
        if not driver.settle():
            screen.say("It did not come to rest: jobs or dead owners are left.")
        verdict = driver.verdict()
        recovered = waits(Books(driver.world.ledger), driver.diary)
        show(screen, verdict, recovered)
        failed = bool(verdict.faults)
        if given.json:
            setting = {"seed": given.seed, "seconds": given.seconds, "variant": variant(given)}
            given.json.write_text(json.dumps(setting | record(verdict, recovered), indent=1))
    finally:
        driver.world.close()
        if failed or given.keep:
            screen.say(f"ledger, logs and data: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    screen.say(f"FAILED. To repeat it: {repeat}" if failed else "every promise kept")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
