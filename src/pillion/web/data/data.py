"""Data: everything that the dashboard shows and does, as calls that block or can be awaited.

    data = Data(fleet)
    data.retries(view="groups")              # from a thread
    await data.retries.aio(view="groups")    # from an event loop

A page is one round trip, and nothing of it holds Redis up for more than some milliseconds, however much there is.
Numbers are taken within bounds, whatever is asked for. `redact` says for one viewer what may be shown, in place of
what was said for all (see `redaction`). Reading changes nothing. All calls raise RedisError.
"""

from __future__ import annotations

from pillion.api.fleet import Fleet
from pillion.features.health.thresholds import Thresholds
from pillion.web.data.acting import Acting
from pillion.web.data.cache import Cache
from pillion.web.data.looking import Looking
from pillion.web.data.redaction import Redact, show_all
from pillion.web.data.source import Source

__all__ = ["Data"]


class Data(Looking, Acting):
    """What one Redis has to show, and what can be done there.

    Parameters: `fleet` says which Redis, and has the settings (limits of the dead set, client middleware); `redact`
    what may be shown of jobs, all if nothing is said; `thresholds` from which numbers on something is wrong. Keeps
    answers for a second, those of metrics for ten, and samples of sizes for an hour. Safe to share between threads.
    """

    def __init__(self, fleet: Fleet, *, redact: Redact | None = None, thresholds: Thresholds | None = None) -> None:
        super().__init__(Source(fleet, redact or show_all, thresholds or Thresholds(), Cache(fleet.clock)))
