"""In which order the queues of a capsule are tried, decided anew for each fetch (behaviour.md 6.1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from pillion.config import QueueMode, QueueSpec


def queue_order(queues: Sequence[QueueSpec], mode: QueueMode, rng: random.Random) -> Callable[[], Sequence[int]]:
    """A function that gives, at each call, the indexes of `queues` in the order to try them.

    strict: as declared. random: evenly shuffled. weighted: a queue comes first with the probability
    weight / sum of weights (an unweighted queue among weighted ones counts as 1). Every queue is
    always in the order, so none starves.
    """
    declared = tuple(range(len(queues)))
    if mode == "strict" or len(queues) == 1:
        return lambda: declared
    tickets = [index for index, queue in enumerate(queues) for _ in range(max(queue.weight, 1))]
    return lambda: tuple(dict.fromkeys(rng.sample(tickets, len(tickets))))
