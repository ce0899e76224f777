"""The rules about workers and queues. Facts in, reasons out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from pillion.web.data.models import Fact, QueueRow, Reason
from pillion.web.data.overview import target_s
from pillion.web.data.texts import short
from pillion.web.data.verdict_facts import MOST_ALIKE, Facts, do, see, see_processes, see_queue
from pillion.web.data.words import counted, duration


def no_workers(facts: Facts) -> Iterator[Reason]:
    """Nobody works."""
    summary = facts.overview.summary
    has_work = bool(summary.enqueued or summary.retries or facts.overdue)
    if summary.processes or not (has_work or summary.processed):
        return
    text = "No worker is running."
    if summary.enqueued:
        text += f" {counted(summary.enqueued, 'job')} {'waits' if summary.enqueued == 1 else 'wait'} in Redis."
    yield Reason(
        "fail",
        "no_workers",
        text,
        {"enqueued": summary.enqueued},
        since=facts.now_s - summary.oldest_wait_s if summary.oldest_wait_s else None,
        cures=(see_processes("pillion run MODULE"),),
        advice=("Start a worker: pillion run MODULE.", "If one should run, look into its log: why did it end?"),
    )


def all_quiet(facts: Facts) -> Iterator[Reason]:
    """Workers are there, and take nothing."""
    processes, waiting = facts.overview.processes, facts.overview.summary.enqueued
    if not processes or not all(process.is_quiet for process in processes):
        return
    text = f"{counted(len(processes), 'process')} on the list, all quiet: they take no new jobs."
    yield Reason(
        "fail" if waiting else "warn",
        "all_quiet",
        text,
        {"processes": len(processes), "enqueued": waiting},
        cures=(see_processes("pillion run MODULE"),),
        advice=("During a deploy that is right for a moment. Else start new workers; quiet cannot be undone.",),
    )


def queues(facts: Facts) -> Iterator[Reason]:
    """Queues whose jobs wait: for nobody, too long, or by order."""
    if not facts.overview.processes:
        return  # that nobody works at all has been said
    rows = sorted(facts.overview.queues, key=lambda queue: -queue.wait_s)
    troubled = [queue for queue in rows if queue.level != "ok"]
    paused = [queue for queue in troubled if queue.is_paused]
    unserved = [queue for queue in troubled if not queue.is_paused and not queue.is_served]
    slow = [queue for queue in troubled if not queue.is_paused and queue.is_served]
    if not all(process.is_quiet for process in facts.overview.processes):
        yield from (_unserved(facts, queue) for queue in unserved[:MOST_ALIKE])
    yield from (_slow(facts, queue) for queue in slow[:MOST_ALIKE])
    yield from (_paused(facts, queue) for queue in paused[:MOST_ALIKE])
    yield from _and_more(unserved[MOST_ALIKE:] + slow[MOST_ALIKE:] + paused[MOST_ALIKE:])


def _unserved(facts: Facts, queue: QueueRow) -> Reason:
    name = short(queue.name)
    wait = f", the oldest for {duration(queue.wait_s)}" if queue.wait_s else ""
    waits = "waits" if queue.size == 1 else "wait"
    return Reason(
        "fail",
        "queue_unserved",
        f'Queue "{name}": {counted(queue.size, "job")} {waits}{wait}, no process listens.',
        {"queue": name, "size": queue.size, "wait_s": queue.wait_s},
        since=facts.now_s - queue.wait_s if queue.wait_s else None,
        cures=(
            see_queue(queue.name),
            see_processes(f"pillion run MODULE -q {quote(name)}"),
        ),
        advice=(
            f"Start a worker for it: pillion run MODULE -q {quote(name)}",
            "Is the name right where jobs are pushed, and in the settings of the workers?",
        ),
    )


def _slow(facts: Facts, queue: QueueRow) -> Reason:
    name, target = short(queue.name), target_s(queue.name, facts.limits)
    text = f'Queue "{name}": the oldest job waits {duration(queue.wait_s)} (target {duration(target)})'
    facts_of: dict[str, Fact] = {"queue": name, "size": queue.size, "wait_s": queue.wait_s, "target_s": target}
    return Reason(
        "fail" if queue.wait_s > 10 * target else "warn",
        "queue_slow",
        f"{text}, {counted(queue.size, 'job')} in all.",
        facts_of,
        since=facts.now_s - queue.wait_s + target,
        cures=(
            see_queue(queue.name),
            do("pause", "Pause", "queue_pause", queue=queue.name),
        ),
        advice=(
            "More workers, or more threads for this queue, if the machines and what the jobs call can take it.",
            "If one class fills it, move that class to a queue of its own.",
        ),
    )


def _paused(facts: Facts, queue: QueueRow) -> Reason:
    name = short(queue.name)
    waits = "waits" if queue.size == 1 else "wait"
    return Reason(
        "warn",
        "queue_paused_full",
        f'Queue "{name}" is paused; {counted(queue.size, "job")} {waits}.',
        {"queue": name, "size": queue.size, "wait_s": queue.wait_s},
        since=facts.now_s - queue.wait_s if queue.wait_s else None,
        cures=(do("resume", "Resume", "queue_resume", queue=queue.name), see_queue(queue.name)),
        advice=("Resume it when the reason for the pause has passed.",),
    )


def _and_more(rest: Sequence[QueueRow]) -> Iterator[Reason]:
    if rest:
        jobs = sum(queue.size for queue in rest)
        text = f"{counted(len(rest), 'more queue')} with {counted(jobs, 'job')} that wait too long."
        cures = (see("see_queues", "See queues", "queues"),)
        yield Reason("warn", "more_queues", text, {"count": len(rest), "size": jobs}, cures=cures)


def late_processes(facts: Facts) -> Iterator[Reason]:
    """Processes that were not heard of for a while."""
    late = [process for process in facts.overview.processes if process.is_late]
    if not late:
        return
    name = short(late[0].identity)
    whose = name if len(late) == 1 else f"{counted(len(late), 'process')}, {name} among them,"
    since = min((process.beat_at for process in late if process.beat_at is not None), default=None)
    yield Reason(
        "warn",
        "late_processes",
        f"{whose} did not beat for more than 30 s.",
        {"count": len(late), "identity": name},
        since=since,
        cures=(see_processes(),),
        advice=(
            "It hangs, its machine is overloaded or gone, or it cannot reach Redis. After 60 s it counts as dead.",
        ),
    )


def lost_processes(facts: Facts) -> Iterator[Reason]:
    """Processes that died without saying goodbye."""
    lost = facts.overview.lost
    if not lost:
        return
    name, at_s = short(lost[0][0]), lost[0][1]
    more = "" if len(lost) == 1 else f" and {counted(len(lost) - 1, 'other')}"
    yield Reason(
        "warn",
        "lost_processes",
        f"{name}{more} died {duration(facts.now_s - at_s)} ago, without saying goodbye.",
        {"count": len(lost), "identity": name, "ago_s": facts.now_s - at_s},
        since=lost[-1][1],
        cures=(see_processes(),),
        advice=(
            "Killed for its memory? Look into the log of its machine: dmesg, or that of its container.",
            "The jobs it had are given back to their queues within a minute or two.",
        ),
    )


def overdue(facts: Facts) -> Iterator[Reason]:
    """The schedule stands still."""
    if not facts.overdue or not facts.overview.processes:
        return
    text = f"{counted(facts.overdue, 'scheduled job')} should have gone to a queue more than a minute ago."
    yield Reason(
        "warn",
        "overdue",
        text,
        {"count": facts.overdue},
        cures=(see("see_scheduled", "See scheduled", "scheduled"), see_processes()),
        advice=(
            "Every worker moves due jobs every few seconds. Do the clocks of the machines agree? Look into a log.",
        ),
    )


FLEET_RULES = (no_workers, all_quiet, queues, late_processes, lost_processes, overdue)
