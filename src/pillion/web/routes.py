"""The table of routes: every address of the dashboard, who may use it, and what it takes.

Design record. One table drives the router, the authorization, the buttons that are shown, the OpenAPI document
and the tests that try every route as every role; nothing answers that is not in it. Handlers are found by
the name of their route (`handlers.table`), so that this file is facts only and can be read as documentation.

Paths are below the mount, without a trailing slash; `{queue}` is one segment (see `paths`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pillion.web.params import Param
from pillion.web.roles import Role

Method = Literal["GET", "POST", "DELETE"]
# page: HTML.  action: a form's POST, answered by 303.  own: changes only cookies of the one who asks.
# api: JSON.  file: neither, such as the export and the assets.
Kind = Literal["page", "action", "own", "api", "file"]

API: Final = "/api/v1"
MOST_ROWS: Final = 500  # of the JSON API
# Of a page: more would weigh more than 100 KB, and nobody reads them. Busy and a search have two tables.
MOST_SHOWN: Final = 50
MOST_OF_TWO: Final = 25


@dataclass(slots=True, frozen=True, kw_only=True)
class Route:
    """One address.

    `role` is the least that may use it, None for everybody, also without a login. `confirm`: a POST without
    `confirmed=1` changes nothing and answers with count and samples (`word` to be typed above 100 jobs).
    """

    name: str
    method: Method
    path: str
    kind: Kind
    role: Role | None
    summary: str
    params: tuple[Param, ...] = ()
    confirm: bool = False

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing in Redis."""
        return self.method == "GET" or self.kind == "own"


# -- parameters --------------------------------------------------------------------------------------

Q: Final = Param(name="q", kind="text", default="", summary="Filter: words and class:Mail queue:low try>=3 and so on")
CURSOR: Final = Param(name="cursor", kind="text", default="", most=200, summary="Where to go on, from the last answer")
COUNT: Final = Param(name="count", kind="whole", default=25, low=1, high=MOST_SHOWN, summary="Rows of a page")
COUNT_OF_TWO: Final = Param(name="count", kind="whole", default=25, low=1, high=MOST_OF_TWO, summary="Rows of a table")
LIMIT: Final = Param(name="limit", kind="whole", default=100, low=1, high=MOST_ROWS, summary="Rows of an answer")
PAGE: Final = Param(name="page", kind="whole", default=1, low=1, high=10_000_000, summary="Number of the page")
DAYS: Final = Param(name="days", kind="whole", default=30, low=1, high=180, summary="Days of the history")
VIEW: Final = Param(name="view", kind="choice", default="groups", choices=("groups", "list"), summary="Groups or list")
SORTS: Final = ("worst", "name", "size", "wait")
SORT: Final = Param(name="sort", kind="choice", default="worst", choices=SORTS, summary="What comes first")
PAUSED: Final = Param(name="paused", kind="flag", default=False, summary="1: only queues that are paused")
ONLY: Final = Param(name="only", kind="choice", default="", choices=("jobs", "processes"), summary="Only one of both")
ALL: Final = Param(name="all", kind="flag", default=False, summary="1: long texts whole")
ORDER: Final = Param(name="order", kind="choice", default="next", choices=("next", "newest"), summary="Which job first")
PERIODS: Final = ("1h", "2h", "4h", "8h", "24h", "48h", "72h")
PERIOD: Final = Param(name="period", kind="choice", default="1h", choices=PERIODS, summary="How far back")
MEASURE: Final = Param(
    name="measure",
    kind="choice",
    default="total",
    choices=("total", "runs", "failures", "average"),
    summary="What the chart shows",
)
RANKS: Final = ("total", "runs", "failures", "average", "name")
RANK: Final = Param(name="sort", kind="choice", default="total", choices=RANKS, summary="Which class first")
WINDOW: Final = Param(name="window", kind="choice", default="", choices=("1h", "24h", "7d"), summary="Failed within")
PLACE: Final = Param(name="in", kind="text", default="", most=200, summary="Where to look: queue:NAME or a set")
AT: Final = Param(name="at", kind="number", summary="Its time in the set, epoch seconds: finds it at once")
TIMES: Final = Param(name="order", kind="choice", default="", choices=("asc", "desc"), summary="By time in the set")

KEYS: Final = Param(name="key", kind="texts", default=(), most=2000, summary="Ticked rows, as the row's `key` says")
BACK: Final = Param(name="back", kind="text", default="", most=2000, summary="Where to go after it, below the mount")
CONFIRMED: Final = Param(name="confirmed", kind="flag", default=False, summary="1: count and samples were seen")
WORD: Final = Param(name="word", kind="text", default="", most=40, summary="The word typed for more than 100 jobs")
CUTOFF: Final = Param(name="cutoff", kind="number", summary="Jobs that failed or came later stay, epoch seconds")
EXPECTED: Final = Param(
    name="expected_count", kind="whole", low=0, high=2**53, summary="How many were seen: 409 if it is far from that"
)
MOVE_BY: Final = Param(name="by_s", kind="number", low=-(10**9), high=10**9, summary="Seconds to add to their time")
QUEUES: Final = Param(name="queue", kind="texts", default=(), most=500, summary="Ticked queues")
THEME: Final = Param(name="theme", kind="choice", choices=("auto", "light", "dark"), summary="Colours")
LOCALE: Final = Param(name="locale", kind="text", most=20, summary="Language")
COMPACT: Final = Param(name="compact", kind="flag", summary="1: lower rows")

_DONE: Final = (BACK, CONFIRMED, WORD, EXPECTED, CUTOFF)


# -- how a row is written ----------------------------------------------------------------------------


def _page(name: str, path: str, summary: str, *params: Param, role: Role = "viewer") -> Route:
    return Route(name=name, method="GET", path=path, kind="page", role=role, summary=summary, params=params)


def _act(name: str, path: str, role: Role, summary: str, *params: Param, confirm: bool = False) -> Route:
    """An action: for forms at its path, for programs at `/api/v1` with the last slash as a colon."""
    params = (*params, *(_DONE if confirm else (BACK,)))
    return Route(
        name=name, method="POST", path=path, kind="action", role=role, summary=summary, params=params, confirm=confirm
    )


def _api(name: str, path: str, summary: str, *params: Param, role: Role = "viewer") -> Route:
    return Route(
        name=f"api_{name}", method="GET", path=API + path, kind="api", role=role, summary=summary, params=params
    )


def _file(name: str, path: str, summary: str, *params: Param, role: Role | None = "viewer") -> Route:
    return Route(name=name, method="GET", path=path, kind="file", role=role, summary=summary, params=params)


# -- pages -------------------------------------------------------------------------------------------

_LIST: Final = (Q, CURSOR, PAGE, COUNT)

PAGES: Final = (
    _page("dashboard", "/", "Is it healthy, and if not: what, since when, what can be done", DAYS),
    _page("busy", "/busy", "Processes and the jobs that run", ONLY, Q, PAGE, COUNT_OF_TWO),
    _page("queues", "/queues", "Queues with size, wait, trend and workers", Q, PAUSED, SORT),
    _page("queue", "/queues/{queue}", "Jobs that wait in one queue", *_LIST, ORDER, ALL),
    _page("scheduled", "/scheduled", "Jobs planned for later", *_LIST, TIMES),
    _page("retries", "/retries", "Jobs that failed and run again", VIEW, WINDOW, *_LIST, TIMES),
    _page("dead", "/dead", "Jobs that failed for good", VIEW, WINDOW, *_LIST, TIMES),
    _page("job", "/jobs/{jid}", "One job, wherever it is, with its timeline", PLACE, AT, ALL),
    _page("metrics", "/metrics", "What each class of jobs did", PERIOD, MEASURE, Q, RANK),
    _page("metrics_job", "/metrics/{job_class}", "What one class of jobs did", PERIOD),
    _page("search", "/search", "Jobs by jid, class, arguments or error, everywhere", Q, CURSOR, COUNT_OF_TWO),
    _page("audit", "/audit", "Who did what", Q, CURSOR, COUNT, role="admin"),
    _page("removed", "/removed", "What was removed and can be put back", role="operator"),
    _page("bulk", "/bulk/{bulk_id}", "How far an action on many jobs is", role="operator"),
)

# -- what changes something --------------------------------------------------------------------------

ACTIONS: Final = (
    _act("queue_pause", "/queues/{queue}/pause", "operator", "Let no worker take jobs from a queue"),
    _act("queue_resume", "/queues/{queue}/resume", "operator", "Let workers take jobs from a queue again"),
    _act("queue_clear", "/queues/{queue}/clear", "admin", "Remove all jobs of a queue", confirm=True),
    _act("queue_delete", "/queues/{queue}/delete", "admin", "Delete ticked jobs of a queue", KEYS, confirm=True),
    _act("queues_pause", "/queues/-/pause-all", "operator", "Pause the ticked queues", QUEUES),
    _act("queues_resume", "/queues/-/resume-all", "operator", "Resume the ticked queues", QUEUES),
    _act("queues_clear", "/queues/-/clear-all", "admin", "Remove all jobs of the ticked queues", QUEUES, confirm=True),
    _act("set_retry", "/sets/{set}/retry", "operator", "Push ticked jobs to their queues now", KEYS),
    _act("set_move", "/sets/{set}/move", "operator", "Give ticked jobs another time", KEYS, MOVE_BY),
    _act("set_kill", "/sets/{set}/kill", "admin", "Move ticked jobs to the dead set", KEYS, confirm=True),
    _act("set_delete", "/sets/{set}/delete", "admin", "Delete ticked jobs of a set", KEYS, confirm=True),
    _act("bulk_retry", "/bulk/{set}/retry", "operator", "Push all jobs that match now", Q, WINDOW, confirm=True),
    _act("bulk_kill", "/bulk/{set}/kill", "admin", "Move all jobs that match to the dead", Q, WINDOW, confirm=True),
    _act("bulk_delete", "/bulk/{set}/delete", "admin", "Delete all jobs that match", Q, WINDOW, confirm=True),
    _act("bulk_stop", "/bulk/{bulk_id}/stop", "operator", "End an action on many jobs early"),
    _act("bulk_resume", "/bulk/{bulk_id}/resume", "operator", "Go on with an action that stands still"),
    _act("undo", "/undo/{undo_id}/restore", "operator", "Put back what was deleted"),
    _act("process_quiet", "/processes/{identity}/quiet", "operator", "Let a process take no more jobs"),
    _act("process_stop", "/processes/{identity}/stop", "admin", "Let a process end", confirm=True),
    _act("process_dump", "/processes/{identity}/dump", "operator", "Let a process write its stacks to its log"),
    _act("processes_quiet", "/processes/-/quiet-all", "operator", "Let all processes take no more jobs", confirm=True),
    _act("processes_stop", "/processes/-/stop-all", "admin", "Let all processes end", confirm=True),
)

# -- only for the one who asks -----------------------------------------------------------------------

OWN: Final = (
    Route(
        name="preferences",
        method="POST",
        path="/preferences",
        kind="own",
        role="viewer",
        summary="Colours, language and height of rows, kept in a cookie",
        params=(THEME, LOCALE, COMPACT, BACK),
    ),
)

# -- files -------------------------------------------------------------------------------------------

FILES: Final = (
    _file("asset", "/assets/{file}", "Style, script and icons; the name has the hash of its content", role=None),
    _file("export_csv", "/export/{set}.csv", "All jobs that match, as CSV", Q, WINDOW, role="operator"),
    _file("export_ndjson", "/export/{set}.ndjson", "All jobs that match, one JSON a line", Q, WINDOW, role="operator"),
    _file("stats", "/stats", "The numbers, in the shape of Sidekiq's /stats"),
    _file("stats_queues", "/stats/queues", "Queue to size, in the shape of Sidekiq's /stats/queues"),
)

# -- the JSON API ------------------------------------------------------------------------------------

_ROWS: Final = (Q, CURSOR, PAGE, LIMIT)

API_READS: Final = (
    _api("health", "/health", "Verdict with its reasons; 503 if it is not healthy"),
    _api("stats", "/stats", "The numbers, in the shape of Sidekiq's /stats"),
    _api("stats_queues", "/stats/queues", "Queue to size, in the shape of Sidekiq's /stats/queues"),
    _api("processes", "/processes", "Worker processes", Q, PAGE, LIMIT),
    _api("work", "/work", "Jobs that run", Q, PAGE, LIMIT),
    _api("queues", "/queues", "Queues with size, wait and workers", Q, PAUSED, SORT),
    _api("queue_jobs", "/queues/{queue}/jobs", "Jobs that wait in one queue", *_ROWS, ORDER, ALL),
    _api("scheduled", "/scheduled", "Jobs planned for later", *_ROWS, TIMES),
    _api("retries", "/retries", "Jobs that failed and run again", *_ROWS, WINDOW, TIMES),
    _api("dead", "/dead", "Jobs that failed for good", *_ROWS, WINDOW, TIMES),
    _api("job", "/jobs/{jid}", "One job, wherever it is", PLACE, AT, ALL),
    _api("search", "/search", "Jobs by jid, class, arguments or error, everywhere", Q, CURSOR, LIMIT),
    _api("errors", "/errors/{set}", "Failed jobs grouped by class and error", Q, WINDOW),
    _api("metrics", "/metrics", "What each class of jobs did", PERIOD, MEASURE, Q, RANK),
    _api("metrics_job", "/metrics/{job_class}", "What one class of jobs did", PERIOD),
    _api("audit", "/audit", "Who did what", Q, CURSOR, LIMIT, role="admin"),
    _api("removed", "/removed", "What was removed and can be put back", role="operator"),
    _api("bulk", "/bulk/{bulk_id}", "How far an action on many jobs is", role="operator"),
    _api("export_csv", "/export/{set}.csv", "All jobs that match, as CSV", Q, WINDOW, role="operator"),
    _api("export_ndjson", "/export/{set}.ndjson", "All jobs that match, a line each", Q, WINDOW, role="operator"),
    _api("openapi", "/openapi.json", "This document"),
)


def _as_api(action: Route) -> Route:
    """The same action for programs: `/queues/{queue}/pause` is `/api/v1/queues/{queue}:pause`."""
    place, _, verb = action.path.replace("/-/", "/").rpartition("/")
    params = tuple(param for param in action.params if param is not BACK)
    return Route(
        name=f"api_{action.name}",
        method="POST",
        path=f"{API}{place}:{verb}",
        kind="api",
        role=action.role,
        summary=action.summary,
        params=params,
        confirm=action.confirm,
    )


API_ACTIONS: Final = tuple(_as_api(action) for action in ACTIONS)

ROUTES: Final = (*PAGES, *ACTIONS, *OWN, *FILES, *API_READS, *API_ACTIONS)
