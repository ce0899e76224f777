"""When to look for due jobs again: pure arithmetic, with clock and randomness passed in."""

from __future__ import annotations

from random import Random

# From this many processes on, single polls may cluster, so they are spread wider.
MANY_PROCESSES = 10


def poll_interval(process_count: int, average_s: float, rng: Random) -> float:
    """Seconds until a stand-by scheduler polls again (behaviour 8).

    Parameters: `average_s` is how often there should be a poll somewhere in the whole cluster. So
    each of n processes polls every n * average_s on average: 0.5 to 1.5 times that with fewer than
    ten processes, 0 to 2 times with more.
    """
    own_average_s = max(1, process_count) * average_s
    if process_count < MANY_PROCESSES:
        return own_average_s * rng.random() + own_average_s / 2
    return own_average_s * rng.random() * 2


def wait_until_due(next_due_s: float | None, now_s: float, longest_s: float) -> float:
    """Seconds the elected scheduler waits before its next look.

    Never more than `longest_s`, whatever the wall clock does: after it jumped back by an hour, the
    next due job seems an hour away, and a job pushed in the meantime must not wait for that.
    """
    if next_due_s is None:
        return longest_s
    return min(max(next_due_s - now_s, 0.0), longest_s)
