"""The table of options that a command line, the environment or a file can set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pillion.settings.readers import (
    Reader,
    capsules,
    choice,
    mapping,
    modules,
    queue_limits,
    queue_list,
    redis,
    seconds,
    strict_mode,
    switch,
    text,
    transaction_guard,
    whole,
    words,
    worker_groups,
)


@dataclass(slots=True, frozen=True)
class Option:
    """One option.

    `name` is its name in files and flags, `aliases` are further ones; `attribute` is the attribute of
    Config it sets ("": the command itself uses it). `variables` are the environment variables that set
    it, first one wins; those in `below_file` count only where the file says nothing. `flag` is for a
    flag that is not called as the option is.
    """

    name: str
    read: Reader
    attribute: str = ""
    variables: tuple[str, ...] = ()
    below_file: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    flag: str = ""

    @property
    def flag_name(self) -> str:
        """What the option is called on the command line."""
        return self.flag or f"--{self.name.replace('_', '-')}"


_LEVEL_NAMES = ("debug", "info", "warn", "warning", "error", "fatal", "critical")

OPTIONS: tuple[Option, ...] = (
    Option("environment", text, "environment", ("APP_ENV", "RAILS_ENV", "RACK_ENV")),
    Option("redis", redis, "redis"),
    Option("data_dir", text, "embedded_data_dir", ("PILLION_DATA_DIR",), aliases=("embedded_data_dir",)),
    Option("capsules", capsules),
    Option("queues", queue_list, "queues", ("PILLION_QUEUES",), flag="--queue"),
    Option(
        "concurrency",
        whole(1),
        "concurrency",
        ("PILLION_CONCURRENCY", "SIDEKIQ_CONCURRENCY"),
        below_file=("RAILS_MAX_THREADS",),
    ),
    Option(
        "timeout",
        seconds,
        "timeout_s",
        ("PILLION_TIMEOUT", "SIDEKIQ_TIMEOUT_SECONDS"),
        aliases=("timeout_s",),
    ),
    Option("processes", worker_groups, "", ("PILLION_PROCESSES",)),
    Option("require", words, "", ("PILLION_REQUIRE",)),
    Option("tag", text, "tag", ("PILLION_TAG",)),
    Option("labels", words, "labels", ("PILLION_LABELS",)),
    Option("max_retries", whole(0), "max_retries", ("PILLION_MAX_RETRIES",)),
    Option("dead_max_jobs", whole(1), "dead_max_jobs"),
    Option("dead_timeout", whole(1), "dead_timeout_s", aliases=("dead_timeout_s", "dead_timeout_in_seconds")),
    Option(
        "average_scheduled_poll_interval",
        seconds,
        "average_scheduled_poll_interval_s",
        aliases=("average_scheduled_poll_interval_s",),
    ),
    Option(
        "max_iteration_runtime",
        seconds,
        "max_iteration_runtime_s",
        aliases=("max_iteration_runtime_s",),
    ),
    Option("event_loop", choice("auto", "asyncio", "uvloop"), "event_loop", ("PILLION_EVENT_LOOP",)),
    Option("child_processes", whole(1), "child_processes", ("PILLION_CHILD_PROCESSES",)),
    Option("max_jobs_per_child", whole(1), "max_jobs_per_child", ("PILLION_MAX_JOBS_PER_CHILD",)),
    Option("max_rss_mb_per_child", whole(1), "max_rss_mb_per_child", ("PILLION_MAX_RSS_MB_PER_CHILD",)),
    Option("strict_args", strict_mode, "strict_args", aliases=("on_complex_arguments",)),
    Option("default_job_options", mapping, "default_job_options"),
    Option("queue_limits", queue_limits, "queue_limits"),
    Option(
        "on_enqueue_in_transaction",
        transaction_guard,
        "on_enqueue_in_transaction",
        ("PILLION_ON_ENQUEUE_IN_TRANSACTION",),
    ),
    Option("logged_job_attributes", words, "logged_job_attributes"),
    Option("skip_default_job_logging", switch, "skip_default_job_logging"),
    Option("log_arguments", switch, "log_arguments", ("PILLION_LOG_ARGUMENTS", "SIDEKIQ_LOG_ARGUMENTS")),
    Option("features", modules, "features", ("PILLION_FEATURES",)),
    Option("log_level", choice(*_LEVEL_NAMES), "", ("PILLION_LOG_LEVEL",)),
    Option("log_format", choice("text", "json"), "", ("PILLION_LOG_FORMAT",)),
    Option("verbose", switch, "", ("DEBUG_INVOCATION",)),
)

# Keys of a Ruby file that mean nothing here: read past, with a note, so that both fleets share the file.
RUBY_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "strict": "a list of queues without weights is strict",
        "pidfile": "the process that starts Pillion knows its pid",
        "logfile": "logs go to standard output",
        "daemon": "Pillion stays in the foreground",
        "index": "it numbered Ruby processes",
        "thread_priority": "Python threads have none",
        "poll_interval_average": "the scheduler works out its own interval",
        "redis_idle_timeout": "idle connections cost nothing here",
        "identity": "each process makes its own",
    }
)

# The options whose value is, or may be, a table. A YAML key that nearly is one of them is a typing error,
# not an environment.
TABLES = ("capsules", "redis", "default_job_options", "processes", "queue_limits")
NAMES: Mapping[str, Option] = MappingProxyType(
    {name: option for option in OPTIONS for name in (option.name, *option.aliases)}
)
