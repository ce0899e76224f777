"""Who takes part, how each is started, and what it does not offer. Their settings: bench/peers/README.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "bench" / ".venv-peers" / "bin"
ARQ = ROOT / "bench" / ".venv-arq" / "bin"
OURS = ROOT / "bench" / ".venv-pillion" / "bin" / "python"
PROCESS_A_JOB = "every slot is a process already"
PROCESS_LIMIT = 20  # for those that need a process for each job at a time: a hundred would be gigabytes

Command = list[str]


@dataclass(frozen=True)
class Order:
    """How a contestant is to be started. `every_core`: one process is not pinned either, as several never are."""

    concurrency: int = 10
    processes: int = 1
    queues: Sequence[str] = ("default",)
    scheduled: bool = False
    logged: bool = False
    every_core: bool = False


@dataclass(frozen=True)
class Contestant:
    """A system under test. `commands` start it; `scale` is its part of the no-op jobs, so that runs end.

    `pings` are the pushes whose latency is measured, one at a time.
    """

    name: str
    client: Sequence[str]
    commands: Callable[[Order], list[Command]]
    scale: float
    lacks: dict[str, str] = field(default_factory=dict)
    most_slots: int = 1000
    pings: int = 80

    def answers_to(self, name: str) -> bool:
        """Whether this is its name, or a part of it: "celery", "sidekiq"."""
        return name == self.name or name in self.name.split("-")


def _each(order: Order, command: Callable[[int], Command]) -> list[Command]:
    """The same command once for each process, for those that start one at a time."""
    return [command(number) for number in range(order.processes)]


def _pillion(order: Order) -> list[Command]:
    queues = [part for queue in order.queues for part in ("-q", queue)]
    counts = ["-c", str(order.concurrency), "-p", str(order.processes)]
    return [[str(OURS), "-m", "pillion", "run", "bench.peers.pillion_jobs", *counts, *queues]]


def _sidekiq(*before: str) -> Callable[[Order], list[Command]]:
    def commands(order: Order) -> list[Command]:
        queues = [part for queue in order.queues for part in ("-q", queue)]
        counts = ["-c", str(order.concurrency), "-e", "production"]
        return _each(order, lambda _: [*before, "sidekiq", "-r", "./bench/peers/sidekiq_jobs.rb", *counts, *queues])

    return commands


def _dramatiq(order: Order) -> list[Command]:
    counts = ["-p", str(order.processes), "-t", str(order.concurrency)]
    return [[str(PEERS / "dramatiq"), "bench.peers.dramatiq_jobs", *counts, "--skip-logging"]]


def _celery(pool: str) -> Callable[[Order], list[Command]]:
    def commands(order: Order) -> list[Command]:
        flags = ["-P", pool, "-c", str(order.concurrency), "-l", "warning", "--without-gossip", "--without-mingle"]
        app = [str(PEERS / "celery"), "-A", "bench.peers.celery_jobs", "worker"]
        return _each(order, lambda number: [*app, *flags, "-n", f"bench{number}@%h"])

    return commands


def _rq(order: Order) -> list[Command]:
    return [[str(PEERS / "rq"), "worker-pool", "-n", str(order.concurrency), "-q", "--logging-level", "WARNING"]]


def _arq(order: Order) -> list[Command]:
    quiet = ["--custom-log-dict", "bench.peers.arq_logging.QUIET"]
    return _each(order, lambda _: [str(ARQ / "arq"), "bench.peers.arq_jobs.WorkerSettings", *quiet])


def _taskiq(order: Order) -> list[Command]:
    counts = ["--workers", str(order.processes), "--max-async-tasks", str(order.concurrency)]
    quiet = ["--log-level", "WARNING"]
    worker = [str(PEERS / "taskiq"), "worker", *counts, *quiet, "--ack-type", "when_executed"]
    scheduler = [str(PEERS / "taskiq"), "scheduler", *quiet, "--update-interval", "1", "--skip-first-run"]
    commands = [[*worker, "bench.peers.taskiq_jobs:broker"]]
    return [*commands, [*scheduler, "bench.peers.taskiq_jobs:scheduler"]] if order.scheduled else commands


def _saq(order: Order) -> list[Command]:
    return [[str(PEERS / "saq"), "bench.peers.saq_jobs.settings", "--workers", str(order.processes), "-q"]]


def _huey(order: Order) -> list[Command]:
    script = [str(PEERS / "python"), "-m", "huey.bin.huey_consumer", "bench.peers.huey_jobs.huey"]
    return _each(order, lambda _: [*script, "-w", str(order.concurrency), "-k", "thread", "-q", "-g", "TERM"])


def _streaq(order: Order) -> list[Command]:
    return [[str(PEERS / "streaq"), "run", "bench.peers.streaq_jobs:worker", "-w", str(order.processes)]]


def _bare(order: Order) -> list[Command]:
    return _each(order, lambda _: [str(OURS), "-m", "bench.peers.bare_jobs"])


def _python(where: Path, module: str) -> Sequence[str]:
    return (str(where), "-m", "bench.peers.client", module)


def _peer(
    name: str,
    module: str,
    commands: Callable[[Order], list[Command]],
    scale: float,
    *,
    lacks: dict[str, str] | None = None,
    most_slots: int = 1000,
) -> Contestant:
    return Contestant(name, _python(PEERS / "python", module), commands, scale, lacks or {}, most_slots)


NO_BULK = {"bulk": "no bulk enqueue"}
ONE_PROCESS = {"drain2": PROCESS_A_JOB}
PILLION = Contestant("pillion", _python(OURS, "pillion_jobs"), _pillion, 1.0, pings=300)
SIDEKIQ_CLIENT = ("ruby", "bench/peers/sidekiq_client.rb")
SIDEKIQ = Contestant("ruby-sidekiq", SIDEKIQ_CLIENT, _sidekiq(), 0.12, pings=300)
# As few have it, and as all Python clients here have it: where that may matter, it takes part as well.
HIREDIS = ("env", "BENCH_DRIVER=hiredis")
SIDEKIQ_HIREDIS = Contestant("sidekiq-hiredis", (*HIREDIS, *SIDEKIQ_CLIENT), _sidekiq(*HIREDIS), 0.12)
BARE = Contestant(
    "bare-loop",
    _python(OURS, "bare_jobs"),
    _bare,
    0.2,
    {"retry": "a bare loop has none", "schedule": "a bare loop has none"},
)
ROSTER: tuple[Contestant, ...] = (
    PILLION,
    SIDEKIQ,
    SIDEKIQ_HIREDIS,
    _peer("dramatiq", "dramatiq_jobs", _dramatiq, 0.03, lacks=NO_BULK),
    _peer("celery-threads", "celery_jobs", _celery("threads"), 0.01, lacks=NO_BULK),
    _peer(
        "celery-prefork",
        "celery_jobs",
        _celery("prefork"),
        0.01,
        lacks=NO_BULK | ONE_PROCESS,
        most_slots=PROCESS_LIMIT,
    ),
    _peer("rq", "rq_jobs", _rq, 0.0005, lacks=ONE_PROCESS, most_slots=PROCESS_LIMIT),
    Contestant("arq", _python(ARQ / "python", "arq_jobs"), _arq, 0.015, NO_BULK, pings=20),
    _peer("taskiq", "taskiq_jobs", _taskiq, 0.03, lacks=NO_BULK),
    _peer("saq", "saq_jobs", _saq, 0.02, lacks=NO_BULK),
    _peer("huey", "huey_jobs", _huey, 0.06, lacks=NO_BULK),
    _peer("streaq", "streaq_jobs", _streaq, 0.01),
    BARE,
)


def chosen(names: str) -> list[Contestant]:
    """Those that a comma-separated list names, whole or by a part ("celery", "sidekiq"); all for an empty one."""
    wanted = [name for name in names.split(",") if name]
    unknown = [name for name in wanted if not any(each.answers_to(name) for each in ROSTER)]
    if unknown:
        raise SystemExit(f"bench: no contestant {', '.join(unknown)}; there are {', '.join(e.name for e in ROSTER)}")
    return [each for each in ROSTER if not wanted or any(each.answers_to(n) for n in wanted)]
