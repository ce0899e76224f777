"""What each action does: from the parameters of a route to an outcome, by the data API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pillion.api.processes import ProcessSet
from pillion.api.undo import DEFAULT_UNDO_S
from pillion.web.ask import Ask, Look
from pillion.web.confirm import Preview
from pillion.web.data.models import BulkReport, Outcome
from pillion.web.errors import Refusal, needs_role
from pillion.web.handlers.loaders import set_name
from pillion.web.roles import Role, may
from pillion.web.routes import ROUTES

Done = Outcome | BulkReport
Do = Callable[[Ask], Done]
_ROLES: Final[Mapping[str, Role | None]] = {route.name: route.role for route in ROUTES}


def _bulk(action: str) -> Do:
    def start(ask: Ask) -> BulkReport:
        return ask.data.bulk_start(
            set_name(ask),
            action,
            q=ask["q"],
            window=ask["window"],
            cutoff_at=ask["cutoff"],
            expected_count=ask["expected_count"],
            actor=ask.who,
            redact=ask.redact,
        )

    return start


def _bulk_resume(ask: Ask) -> BulkReport:
    report = ask.data.bulk(ask["bulk_id"]).report
    if report is None:
        raise Refusal("not_found", f"There is no action {ask['bulk_id']!r}, or it was more than a day ago.")
    needed = _ROLES[f"bulk_{report.action}"]  # to go on with a removal is to remove
    if not may(ask.role, needed):
        raise needs_role(needed, ask.role)
    return report


def _bulk_stop(ask: Ask) -> Outcome:
    report = ask.data.bulk_stop(ask["bulk_id"])
    return Outcome("done", "bulk_stop", report.bulk_id, moved=report.moved)


ACTIONS: Final[Mapping[str, Do]] = MappingProxyType(
    {
        "queue_pause": lambda ask: ask.data.queue_pause(ask["queue"]),
        "queue_resume": lambda ask: ask.data.queue_resume(ask["queue"]),
        "queue_clear": lambda ask: ask.data.queue_clear(ask["queue"]),
        "queue_delete": lambda ask: ask.data.queue_delete(ask["queue"], ask["key"]),
        "queues_pause": lambda ask: ask.data.queues_pause(ask["queue"]),
        "queues_resume": lambda ask: ask.data.queues_resume(ask["queue"]),
        "queues_clear": lambda ask: ask.data.queues_clear(ask["queue"]),
        "set_retry": lambda ask: ask.data.set_retry(set_name(ask), ask["key"]),
        "set_move": lambda ask: ask.data.set_move(set_name(ask), ask["key"], ask["by_s"]),
        "set_kill": lambda ask: ask.data.set_kill(set_name(ask), ask["key"]),
        "set_delete": lambda ask: ask.data.set_delete(set_name(ask), ask["key"]),
        "bulk_retry": _bulk("retry"),
        "bulk_kill": _bulk("kill"),
        "bulk_delete": _bulk("delete"),
        "bulk_resume": _bulk_resume,
        "bulk_stop": _bulk_stop,
        "undo": lambda ask: ask.data.undo(ask["undo_id"]),
        "process_quiet": lambda ask: ask.data.process_quiet(ask["identity"]),
        "process_stop": lambda ask: ask.data.process_stop(ask["identity"]),
        "process_dump": lambda ask: ask.data.process_dump(ask["identity"]),
        "processes_quiet": lambda ask: ask.data.processes_quiet(),
        "processes_stop": lambda ask: ask.data.processes_stop(),
    }
)


# -- what would be done ----------------------------------------------------------------------------------


def _matching(action: str) -> Look:
    def look(ask: Ask) -> Preview:
        name = set_name(ask)
        found = ask.data.preview(name, action, q=ask["q"], window=ask["window"], redact=ask.redact)
        return Preview.of(found, target=name, undo_s=DEFAULT_UNDO_S if action == "delete" else 0.0)

    return look


def _ticked(action: str) -> Look:
    def look(ask: Ask) -> Preview:
        name = set_name(ask)
        found = ask.data.preview_keys(name, action, ask["key"], redact=ask.redact)
        return Preview.of(found, target=name, undo_s=DEFAULT_UNDO_S if action == "delete" else 0.0)

    return look


def _queue(ask: Ask) -> Preview:
    found = ask.data.preview_queue(ask["queue"], redact=ask.redact)
    return Preview.of(found, target=ask["queue"], undo_s=DEFAULT_UNDO_S)


def _queue_rows(ask: Ask) -> Preview:
    found = ask.data.preview_keys(f"queue:{ask['queue']}", "delete", ask["key"], redact=ask.redact)
    return Preview.of(found, target=ask["queue"], undo_s=DEFAULT_UNDO_S)


def _queues(ask: Ask) -> Preview:
    names = tuple(dict.fromkeys(ask["queue"]))
    found = ask.data.preview_queues(names, redact=ask.redact)
    return Preview.of(found, target=", ".join(names), undo_s=DEFAULT_UNDO_S)


def _process(ask: Ask) -> Preview:
    found = ProcessSet(fleet=ask.fleet).get(ask["identity"])
    return Preview(target=ask["identity"], count=0 if found is None else 1)


def _processes(ask: Ask) -> Preview:
    return Preview(target="", count=ProcessSet(fleet=ask.fleet).size())


PREVIEWS: Final[Mapping[str, Look]] = MappingProxyType(
    {
        "queue_clear": _queue,
        "queue_delete": _queue_rows,
        "queues_clear": _queues,
        "set_kill": _ticked("kill"),
        "set_delete": _ticked("delete"),
        "bulk_retry": _matching("retry"),
        "bulk_kill": _matching("kill"),
        "bulk_delete": _matching("delete"),
        "process_stop": _process,
        "processes_quiet": _processes,
        "processes_stop": _processes,
    }
)
