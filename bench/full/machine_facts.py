"""When and on what a run was made, and which versions took part."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path

from bench.full.roster import ARQ, PEERS, ROOT
from bench.full.stage import Stage
from pillion import __version__

LIBRARIES = "celery", "dramatiq", "huey", "rq", "saq", "streaq", "taskiq", "taskiq-redis", "redis", "hiredis"


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


def versions() -> dict[str, str]:
    """Of all contestants, as far as they are installed."""
    commit = _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    found = {"pillion": f"{__version__}, commit {commit}" if commit else __version__}
    found["ruby-sidekiq"] = _said(
        "ruby", "-e", 'require "sidekiq/version"; puts "#{Sidekiq::VERSION}, Ruby #{RUBY_VERSION}"'
    )
    found |= _libraries(PEERS / "python", LIBRARIES)
    arq = _libraries(ARQ / "python", ("arq", "redis"))
    if "arq" in arq:
        found["arq"] = f"{arq['arq']} with redis {arq['redis']}"
    return {name: version for name, version in found.items() if version}


def _libraries(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    code = "import sys, importlib.metadata as m\nfor name in sys.argv[1:]: print(name, m.version(name))"
    return dict(line.split() for line in _said(str(python), "-c", code, *names).splitlines())


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
