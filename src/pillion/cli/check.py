"""`pillion check`: one line and an exit code, for cron and for monitors such as Nagios (F209, F210, F215)."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import clean
from pillion.errors import ConfigError, PillionError, RedisError

if TYPE_CHECKING:
    from pillion.api.fleet import Fleet
    from pillion.features.health import Alert, Sink, Thresholds

STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
OK, WARNING, CRITICAL, UNKNOWN = range(4)
_BYTES = {"": 1, "K": 1024, "KB": 1024, "M": 1024**2, "MB": 1024**2, "G": 1024**3, "GB": 1024**3}


@contextmanager
def _wrongly_called() -> Generator[None]:
    """A usage error ends with the exit code that monitors read as "unknown": click's 2 would mean critical."""
    try:
        yield
    except click.UsageError as exc:
        exc.exit_code = UNKNOWN  # type: ignore[misc]  # of the class for click, of this one for us
        raise


class Checks(click.Group):
    """The checks. Called wrongly they end with 3."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read which of them is meant."""
        with _wrongly_called():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run one of them."""
        with _wrongly_called():
            return super().invoke(ctx)


@click.group("check", cls=Checks)
def command() -> None:
    """Check one thing, for cron or a monitor: one line, and an exit code.

    Exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (Redis cannot be asked, or wrong options).

    With --notify, what is found is also sent: to "log" (stderr), to a webhook (https://...), by mail
    (mailto:ann@example.org?host=smtp.example.org), or to a function of yours (module:function). What
    has been told is not told again for an hour, however often this runs and on however many machines.

    \b
    Examples:
      pillion check processes --min 2
      pillion check queues --size critical=50 --latency mailers=60 --notify https://ops.example/hook
      pillion check redis --max-used 80%
    """


def check(function: Callable[..., Any]) -> click.Command:
    """A check: `function` gets its own options and returns (checks, thresholds, summary of a fleet)."""
    options = (
        click.option(
            "--notify", "targets", metavar="TARGET", multiple=True, help="Tell log, a URL or module:function."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        redis_options,
    )

    @wraps(function)
    def run(
        targets: Sequence[str], *, as_json: bool, config_file: str | None, environment: str | None, **own: Any
    ) -> None:
        try:
            code, line, alerts = _carry_out(
                function(**own), targets, {"config_file": config_file, "environment": environment}
            )
        except PillionError as exc:
            code, line, alerts = UNKNOWN, str(exc), []
        except Exception as exc:  # noqa: BLE001 - Python would end with 1, which means WARNING
            traceback.print_exc()
            code, line, alerts = UNKNOWN, repr(exc), []
        if as_json:
            found = [alert.payload() for alert in alerts]
            line = json.dumps({"state": STATES[code], "text": line, "alerts": found})
        else:
            line = clean(f"{STATES[code]} - {line}")
        _finish(line, code)

    decorated: Callable[..., Any] = run
    for option in reversed(options):
        decorated = option(decorated)
    return command.command(function.__name__)(decorated)


def _finish(line: str, code: int) -> NoReturn:
    """Print and exit. If nobody reads it, or nothing can be written, the exit code still tells what was found."""
    try:
        click.echo(line)
    except OSError:
        # What is left in the buffer fails again when Python ends, and would make the exit code 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


# -- the checks --------------------------------------------------------------------------------------------

Task = tuple[tuple[str, ...], "Thresholds", "Callable[[Fleet], str]"]


@check
@click.option("--min", "least", metavar="N", type=click.IntRange(0), default=1, help="So many must live (1).")
def processes(*, least: int) -> Task:
    """Do at least N worker processes live? CRITICAL if not."""
    from pillion.features.health import Thresholds

    return ("processes",), Thresholds(min_processes=least), _workers_line


@check
@click.option("--size", "sizes", metavar="NAME=N", multiple=True, help="Most jobs in a queue; repeatable.")
@click.option("--latency", "latencies", metavar="NAME=S", multiple=True, help="Longest wait in it, in seconds.")
@click.option("--max-size", type=click.IntRange(0), default=1000, metavar="N", help="Most jobs in others (1000).")
@click.option("--max-latency", "max_latency_s", type=click.FloatRange(0), metavar="S", help="Longest wait in others.")
@click.option("--max-failures", type=click.IntRange(0), default=100, metavar="N", help="Most of a class (100).")
def queues(
    *,
    sizes: Sequence[str],
    latencies: Sequence[str],
    max_size: int,
    max_latency_s: float | None,
    max_failures: int,
) -> Task:
    """Do too many jobs wait, too long, or fail?

    WARNING above a threshold; CRITICAL if more than twice as many wait, or twice as long. Sizes: critical
    100, default 1000, low 5000, other queues 1000. Failures are those of one job class in the last 5
    minutes, from the metrics; they are a WARNING however many.
    """
    from pillion.features.health import Thresholds
    from pillion.features.health.thresholds import SIZES

    limits = Thresholds(
        sizes={**SIZES, **{name: int(number) for name, number in _named("--size", sizes)}},
        max_size=max_size,
        latencies_s=dict(_named("--latency", latencies)),
        max_latency_s=max_latency_s,
        max_failures=max_failures,
    )
    return ("queues", "failures"), limits, _queues_line


@check
@click.option("--max-used", default="80%", metavar="SHARE", help="Memory: 80% (default), or a size: 2GB.")
@click.option("--max-clients", default="90%", metavar="SHARE", help="Connected clients (90%).")
@click.option("--max-latency-ms", type=click.FloatRange(0), default=100.0, metavar="MS", help="Round trip (100).")
def redis(*, max_used: str, max_clients: str, max_latency_ms: float) -> Task:
    """Is Redis too full, too crowded or too slow?

    WARNING above a limit; CRITICAL above 95 % of memory or clients, or above twice the latency. Memory
    is compared with maxmemory, or with the machine's memory where no maxmemory is set.
    """
    from pillion.features.health import Thresholds

    share, size = read_amount("--max-used", max_used)
    clients, absolute = read_amount("--max-clients", max_clients)
    if absolute is not None:
        raise ConfigError("--max-clients", "a share such as 90%", max_clients)
    limits = Thresholds(
        max_memory_share=share, max_memory_bytes=size, max_clients_share=clients, max_rtt_s=max_latency_ms / 1000
    )
    return ("redis",), limits, _redis_line


def read_amount(option: str, text: str) -> tuple[float | None, int | None]:
    """ "80%" as (0.8, None), "500MB" as (None, bytes). Raises ConfigError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|[KMG]?B?)", text.strip().upper())
    if match is None or match[2] == "B":
        raise ConfigError(option, "a share such as 80%, or a size such as 500MB or 2GB", text)
    number = float(match[1])
    return (number / 100, None) if match[2] == "%" else (None, int(number * _BYTES[match[2]]))


def _named(option: str, pairs: Sequence[str]) -> list[tuple[str, float]]:
    """ "mail=50" as ("mail", 50.0). Raises ConfigError."""
    found: list[tuple[str, float]] = []
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        if not name or not re.fullmatch(r"\d+(?:\.\d+)?", number):
            unit = "SECONDS" if option == "--latency" else "NUMBER"
            raise ConfigError(option, f"NAME={unit}, such as mailers=50", pair)
        found.append((name, float(number)))
    return found


# -- carrying one out ----------------------------------------------------------------------------------------


def _carry_out(task: Task, targets: Sequence[str], settings: dict[str, str | None]) -> tuple[int, str, list[Alert]]:
    """Exit code, the line to print, and what is wrong."""
    from pillion.features.health import HealthMonitor

    checks, limits, summary = task
    sinks = [read_sink(target) for target in targets]
    with open_fleet(**settings) as fleet:
        monitor = HealthMonitor(limits, sinks, checks=checks, fleet=fleet)
        try:
            alerts = monitor.look()
            line = "; ".join(alert.message for alert in alerts) or summary(fleet)
        except RedisError as exc:
            return UNKNOWN, str(exc), []
        finally:
            # What is printed is always the state; what is told goes through the monitor's memory.
            if sinks:
                monitor.run_once()
    return max((CRITICAL if alert.level == "critical" else WARNING for alert in alerts), default=OK), line, alerts


def _workers_line(fleet: Fleet) -> str:
    from pillion.api import plan, survey

    found = plan.run(survey.processes(), fleet.storage)
    busy, threads = sum(each.busy for each in found), sum(each.concurrency for each in found)
    return f"processes: {len(found)}, threads busy: {busy} of {threads}"


def _queues_line(fleet: Fleet) -> str:
    from pillion.api.stats import Stats

    found = Stats(fleet=fleet).queue_summaries()
    oldest_s = max((each.latency_s for each in found), default=0.0)
    return f"queues: {len(found)}, jobs: {sum(each.size for each in found)}, oldest: {oldest_s:.1f} s"


def _redis_line(fleet: Fleet) -> str:
    from pillion.api.redis_info import RedisInfo

    seen = RedisInfo(fleet=fleet).snapshot()
    room = seen.memory_limit_bytes
    memory = f"{(seen.used_memory_bytes or 0) / 1024**2:.1f} MB used"
    memory += f" of {room / 1024**2:.0f} MB" if room else ""
    clients = f"{seen.connected_clients} of {seen.max_clients} clients"
    return f"{seen.store} {seen.version}: {memory}, {clients}, {(seen.rtt_s or 0) * 1000:.2f} ms"


# -- where alerts are sent -----------------------------------------------------------------------------------


def read_sink(target: str) -> Sink:
    """The sink for "log", "https://...", "mailto:...?host=...&sender=..." or "module:function". Raises ConfigError."""
    from pillion.features.health import webhook

    if target == "log":
        return lambda alert: click.echo(clean(f"{alert.name}: {alert.text}"), err=True)
    if target.startswith(("http://", "https://")):
        return webhook(target)
    if target.startswith("mailto:"):
        return _mail_sink(target)
    module, colon, name = target.partition(":")
    if not colon or not name:
        raise ConfigError("--notify", '"log", an http(s) or mailto URL, or module:function', target)
    return _function_sink(module, name)


def _mail_sink(url: str) -> Sink:
    from urllib.parse import parse_qs, unquote, urlsplit

    from pillion.features.health import email

    parts = urlsplit(url)
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    recipients = [unquote(address) for address in parts.path.split(",") if address]
    port = given.get("port", "25")
    if not recipients or set(given) - {"host", "port", "sender"} or not port.isdigit():
        raise ConfigError("--notify", "mailto:ann@example.org?host=HOST&port=25&sender=ADDRESS", url)
    return email(
        recipients, sender=given.get("sender", recipients[0]), host=given.get("host", "localhost"), port=int(port)
    )


def _function_sink(module: str, name: str) -> Sink:
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as exc:  # whatever that module does when it is imported
        raise ConfigError("--notify", "module:function that can be imported", f"{module}:{name}", str(exc)) from exc
    if not callable(found):
        raise ConfigError("--notify", "a function, called with each alert", f"{module}:{name}")
    return cast("Sink", found)
