"""Acting: every button of the dashboard as a call. Each says what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from pillion.api.call import call
from pillion.api.fleet import Fleet
from pillion.api.plan import Plan
from pillion.api.undo import REMOVE_ALL_COMMANDS
from pillion.web.data import actions, bulk
from pillion.web.data.costs import BULK, LOOK, MOVES, OVERVIEW, PAUSE, PICK, SURVEY, TELL, UNDO
from pillion.web.data.models import BulkReport, Outcome, SetName
from pillion.web.data.redaction import Redact
from pillion.web.data.source import Source


class Acting:
    """What can be done in a source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def fleet(self) -> Fleet:
        """The Redis in which it is done."""
        return self._source.fleet

    # -- many ------------------------------------------------------------------------------------------------

    @call(*LOOK, *BULK, cost="20,000 entries", trips="3")
    def bulk_start(
        self,
        set_name: SetName,
        action: str,
        *,
        q: str = "",
        window: str = "",
        cutoff_at: float | None = None,
        expected_count: int | None = None,
        actor: str = "",
        redact: Redact | None = None,
    ) -> Plan[BulkReport]:
        """Note an operation on all jobs that fit and were there at `cutoff_at`; `bulk_run` carries it out.

        Raises CountChanged if far more or fewer match than `expected_count`, BulkBusy if another operation of
        `actor` runs, ConfigError for an `action` that is not "retry", "kill" or "delete". Then nothing is noted.
        """
        return (
            yield from bulk.start(
                self._source,
                set_name,
                action,
                q=q,
                window=window,
                cutoff_at=cutoff_at,
                expected_count=expected_count,
                actor=actor,
                redact=redact or self._source.redact,
            )
        )

    @call(*LOOK, *BULK, *MOVES, cost="O(N log N), N = entries of the set", trips="4 for every 1000 entries")
    def bulk_run(self, bulk_id: str) -> Plan[BulkReport]:
        """Carry out an operation until it is done or stopped; also go on with one. Takes long. Raises NoSuchBulk."""
        return (yield from bulk.carry_out(self._source, bulk_id))

    @call(*BULK, cost="O(1)", trips="2 or 3")
    def bulk_stop(self, bulk_id: str) -> Plan[BulkReport]:
        """Ask for its end; it comes with the next page. Raises NoSuchBulk."""
        return (yield from bulk.stop(self._source, bulk_id))

    # -- a few -----------------------------------------------------------------------------------------------

    @call(*MOVES, *PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2")
    def set_retry(self, set_name: SetName, keys: Sequence[str]) -> Plan[Outcome]:
        """Push ticked jobs to their queues now."""
        return (yield from actions.act_on_set(self._source, set_name, "retry", keys))

    @call(*MOVES, *PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2")
    def set_kill(self, set_name: SetName, keys: Sequence[str]) -> Plan[Outcome]:
        """Move ticked jobs to the dead set."""
        return (yield from actions.act_on_set(self._source, set_name, "kill", keys))

    @call(*MOVES, *PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2")
    def set_delete(self, set_name: SetName, keys: Sequence[str]) -> Plan[Outcome]:
        """Delete ticked jobs, with undo."""
        return (yield from actions.act_on_set(self._source, set_name, "delete", keys))

    @call(*MOVES, *PICK, cost="O(K log N), K = keys, N = entries of the set", trips="2 or 3")
    def set_move(self, set_name: SetName, keys: Sequence[str], by_s: float) -> Plan[Outcome]:
        """Add `by_s` seconds to the times of ticked jobs."""
        return (yield from actions.act_on_set(self._source, set_name, "move", keys, by_s))

    @call("LREM", "LLEN", *MOVES, *PICK, cost="O(K*D), K = keys, D = distance to the nearer end", trips="2")
    def queue_delete(self, name: str, keys: Sequence[str]) -> Plan[Outcome]:
        """Delete ticked jobs of a queue, with undo."""
        return (yield from actions.delete_listed(self._source, name, keys))

    @call(*PAUSE, cost="O(W), W = worker processes")
    def queue_pause(self, name: str) -> Plan[Outcome]:
        """Let no worker take jobs of a queue."""
        return (yield from actions.set_paused(self._source, [name], is_paused=True))

    @call(*PAUSE, cost="O(W), W = worker processes")
    def queue_resume(self, name: str) -> Plan[Outcome]:
        """Let workers take them again."""
        return (yield from actions.set_paused(self._source, [name], is_paused=False))

    @call("EVALSHA", *REMOVE_ALL_COMMANDS, cost="O(1)")
    def queue_clear(self, name: str) -> Plan[Outcome]:
        """Remove all jobs of a queue, with undo."""
        return (yield from actions.clear(self._source, [name]))

    @call(*PAUSE, cost="O(Q*W), Q = queues, W = worker processes")
    def queues_pause(self, names: Sequence[str]) -> Plan[Outcome]:
        """Pause several queues."""
        return (yield from actions.set_paused(self._source, names, is_paused=True))

    @call(*PAUSE, cost="O(Q*W), Q = queues, W = worker processes")
    def queues_resume(self, names: Sequence[str]) -> Plan[Outcome]:
        """Resume several queues."""
        return (yield from actions.set_paused(self._source, names, is_paused=False))

    @call("EVALSHA", *REMOVE_ALL_COMMANDS, cost="O(Q), Q = queues", trips="1 a queue")
    def queues_clear(self, names: Sequence[str]) -> Plan[Outcome]:
        """Remove all jobs of several queues, with undo."""
        return (yield from actions.clear(self._source, names))

    @call(*TELL, cost="O(1)", trips="3")
    def process_quiet(self, identity: str) -> Plan[Outcome]:
        """Tell a process to take no more jobs."""
        return (yield from actions.tell(self._source, identity, "TSTP"))

    @call(*TELL, cost="O(1)", trips="3")
    def process_stop(self, identity: str) -> Plan[Outcome]:
        """Tell a process to end."""
        return (yield from actions.tell(self._source, identity, "TERM"))

    @call(*TELL, cost="O(1)", trips="3")
    def process_dump(self, identity: str) -> Plan[Outcome]:
        """Tell a process to write what its threads do to its log."""
        return (yield from actions.tell(self._source, identity, "TTIN"))

    @call(*OVERVIEW, "LPUSH", "EXPIRE", cost=SURVEY, trips="2")
    def processes_quiet(self) -> Plan[Outcome]:
        """Tell all processes to take no more jobs."""
        return (yield from actions.tell_all(self._source, "TSTP"))

    @call(*OVERVIEW, "LPUSH", "EXPIRE", cost=SURVEY, trips="2")
    def processes_stop(self) -> Plan[Outcome]:
        """Tell all processes to end."""
        return (yield from actions.tell_all(self._source, "TERM"))

    @call(*UNDO, cost="O(1) if nothing came since, else O(N), N = jobs", trips="3, more for many jobs")
    def undo(self, undo_id: str) -> Plan[Outcome]:
        """Put back what was removed."""
        return (yield from actions.restore(self._source, undo_id))
