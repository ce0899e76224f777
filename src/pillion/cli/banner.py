"""The banner: what a person sees first when they start workers in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pillion.config import Capsule
from pillion.settings.readers import WorkerGroup

# A rider and the one on the seat behind.
_PICTURE = r"""
      __o  o
    _`\<,_/)_
   (*)/ -- (*)   """


def banner_text(
    version: str,
    *,
    redis: str,
    environment: str,
    capsules: Iterable[Capsule],
    workers: Sequence[WorkerGroup],
    colour: bool = False,
) -> str:
    """The text of the banner.

    Parameters: `redis` is where Redis is, passwords already taken out (`Target.description`).
    """
    name = f"\x1b[1;34mPillion {version}\x1b[0m" if colour else f"Pillion {version}"
    lines = [f"{_PICTURE}{name}", "", f"  Redis        {redis}", f"  Environment  {environment}"]
    if any(group.queues for group in workers):
        lines += [f"  Processes    {group.count} for {', '.join(group.queues)}" for group in workers]
    else:
        lines += [f"  {_label(capsule):<11}  {describe(capsule)}" for capsule in capsules]
        processes = sum(group.count for group in workers)
        lines += [f"  Processes    {processes}, each with all of this"] if processes > 1 else []
    return "\n".join([*lines, "", "  Ctrl-C stops it: running jobs may finish first.", ""])


def _label(capsule: Capsule) -> str:
    return "Queues" if capsule.name == "default" else capsule.name


def describe(capsule: Capsule) -> str:
    """Queues and threads of a capsule in one line."""
    names = ", ".join(f"{queue.name} ({queue.weight})" if queue.weight else queue.name for queue in capsule.queues)
    jobs = "1 job" if capsule.concurrency == 1 else f"{capsule.concurrency} jobs"
    order = {"strict": "in this order", "weighted": "by weight", "random": "in random order"}[capsule.mode]
    return f"{names}, {jobs} at a time" + (f", {order}" if len(capsule.queues) > 1 else "")
