"""Kills a worker of the order shop right before a chosen line of its jobs: a module for `pillion run -r`.

SHOP_KILLS names a folder. In it, `kills.json` says for each order before which line its process dies; each kill
happens once and leaves a file `killed-ORDER`. Without `kills.json` nobody dies, and `spots.txt` gets the lines that
were run.

    {"7": "confirm:68:line"}

A spot is what the tracer of Python tells: a line that is about to run, or the return of a function, which is the
moment after its last line and before the worker notes that the job is done.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["SHOP_KILLS"])
JOBS = ("/shop/jobs.py", "/shop/order_steps.py")
KILLS: dict[str, str] = json.loads((FOLDER / "kills.json").read_text()) if (FOLDER / "kills.json").exists() else {}


def trace(frame: Any, event: str, arg: Any) -> Any:
    """For each call: look at the lines of those in the jobs and their steps that work for an order."""
    is_ours = frame.f_code.co_filename.endswith(JOBS) and order_of(frame) is not None
    return look if is_ours else None


def order_of(frame: Any) -> str | None:
    """The number of the order that a function works for: its `order_id`, or that of its `order`."""
    names = frame.f_locals
    if "order_id" in names:
        return str(names["order_id"])
    return str(names["order"].id) if "order" in names else None


def look(frame: Any, event: str, arg: Any) -> Any:
    if event in ("line", "return"):
        spot = f"{frame.f_code.co_qualname}:{frame.f_lineno}:{event}"
        order = order_of(frame)
        if not KILLS:
            note("spots.txt", spot)
        elif KILLS.get(order) == spot and not (FOLDER / f"killed-{order}").exists():
            (FOLDER / f"killed-{order}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return look


def note(file: str, line: str) -> None:
    with (FOLDER / file).open("a") as ledger:
        ledger.write(line + "\n")


threading.settrace(trace)
