"""The data API: see and do everything that an operator or a script wants to (behaviour 18).

    from pillion.api import Queue, RetrySet

    Queue("mail").size()                   # from a thread
    await Queue("mail").size.aio()         # from an event loop
    for job in Queue("mail"): ...          # pages, never all at once; also `async for`
    Queue("mail").size.explain()           # 'LLEN; O(1); 1 round trip'

Each name is loaded when it is first used. Worker processes never need any of this.
"""

from pillion._lazy import lazy_names

# What type checkers see; at run time `lazy_names` loads the same ones, each when it is first used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillion.api.bulk import Result as Result
    from pillion.api.deploy import Deploy as Deploy
    from pillion.api.deploy import Mark as Mark
    from pillion.api.doctor import Doctor as Doctor
    from pillion.api.doctor_facts import Finding as Finding
    from pillion.api.entry import SortedEntry as SortedEntry
    from pillion.api.failures import FailureGroup as FailureGroup
    from pillion.api.failures import Failures as Failures
    from pillion.api.filters import Filter as Filter
    from pillion.api.fleet import Fleet as Fleet
    from pillion.api.history import History as History
    from pillion.api.history import HistorySnapshot as HistorySnapshot
    from pillion.api.iterations import Iterations as Iterations
    from pillion.api.iterations import IterationState as IterationState
    from pillion.api.metrics import JobMetrics as JobMetrics
    from pillion.api.metrics import Metrics as Metrics
    from pillion.api.metrics import MetricsResult as MetricsResult
    from pillion.api.migration import Migrated as Migrated
    from pillion.api.migration import Migration as Migration
    from pillion.api.migration import migrate as migrate
    from pillion.api.processes import Process as Process
    from pillion.api.processes import ProcessSet as ProcessSet
    from pillion.api.profiles import ProfileRecord as ProfileRecord
    from pillion.api.profiles import ProfileSet as ProfileSet
    from pillion.api.progress import Progress as Progress
    from pillion.api.queues import JobRecord as JobRecord
    from pillion.api.queues import Queue as Queue
    from pillion.api.record import JobData as JobData
    from pillion.api.redis_info import RedisInfo as RedisInfo
    from pillion.api.redis_info import RedisSnapshot as RedisSnapshot
    from pillion.api.sets import DeadSet as DeadSet
    from pillion.api.sets import RetrySet as RetrySet
    from pillion.api.sets import ScheduledSet as ScheduledSet
    from pillion.api.stats import QueueSummary as QueueSummary
    from pillion.api.stats import Stats as Stats
    from pillion.api.stats import StatsSnapshot as StatsSnapshot
    from pillion.api.undo import NothingToUndo as NothingToUndo
    from pillion.api.undo import Removed as Removed
    from pillion.api.undo import Undo as Undo
    from pillion.api.undo import Undoable as Undoable
    from pillion.api.work import Work as Work
    from pillion.api.work import WorkSet as WorkSet

__all__ = [
    "DeadSet",
    "Deploy",
    "Doctor",
    "FailureGroup",
    "Failures",
    "Filter",
    "Finding",
    "Fleet",
    "History",
    "HistorySnapshot",
    "IterationState",
    "Iterations",
    "JobData",
    "JobMetrics",
    "JobRecord",
    "Mark",
    "Metrics",
    "MetricsResult",
    "Migrated",
    "Migration",
    "NothingToUndo",
    "Process",
    "ProcessSet",
    "ProfileRecord",
    "ProfileSet",
    "Progress",
    "Queue",
    "QueueSummary",
    "RedisInfo",
    "RedisSnapshot",
    "Removed",
    "Result",
    "RetrySet",
    "ScheduledSet",
    "SortedEntry",
    "Stats",
    "StatsSnapshot",
    "Undo",
    "Undoable",
    "Work",
    "WorkSet",
    "migrate",
]

_HOMES = {
    "bulk": ("Result",),
    "deploy": (
        "Deploy",
        "Mark",
    ),
    "doctor": ("Doctor",),
    "doctor_facts": ("Finding",),
    "entry": ("SortedEntry",),
    "failures": (
        "FailureGroup",
        "Failures",
    ),
    "filters": ("Filter",),
    "fleet": ("Fleet",),
    "history": (
        "History",
        "HistorySnapshot",
    ),
    "iterations": (
        "IterationState",
        "Iterations",
    ),
    "metrics": (
        "JobMetrics",
        "Metrics",
        "MetricsResult",
    ),
    "migration": (
        "Migrated",
        "Migration",
        "migrate",
    ),
    "processes": (
        "Process",
        "ProcessSet",
    ),
    "profiles": (
        "ProfileRecord",
        "ProfileSet",
    ),
    "progress": ("Progress",),
    "queues": (
        "JobRecord",
        "Queue",
    ),
    "record": ("JobData",),
    "redis_info": (
        "RedisInfo",
        "RedisSnapshot",
    ),
    "sets": (
        "DeadSet",
        "RetrySet",
        "ScheduledSet",
    ),
    "stats": (
        "QueueSummary",
        "Stats",
        "StatsSnapshot",
    ),
    "undo": (
        "NothingToUndo",
        "Removed",
        "Undo",
        "Undoable",
    ),
    "work": (
        "Work",
        "WorkSet",
    ),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES, globals())
