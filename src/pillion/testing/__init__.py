"""Test code that pushes jobs, without Redis; and find out whether a job can be run again.

    from pillion import testing

    with testing.fake():
        place_order()
        testing.assert_enqueued(CompleteOrder, 42, queue="high")
        CompleteOrder.drain()

Importing this changes nothing, and loads nothing before it is used: pytest imports its plugin in every run.
With that plugin, `pillion_mode = fake` in the settings of pytest does the `with` for each test. See
docs/guides/testing.md.
"""

from pillion._lazy import lazy_names

# As in pillion/__init__.py.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillion.testing.asserts import assert_enqueued as assert_enqueued
    from pillion.testing.asserts import assert_not_enqueued as assert_not_enqueued
    from pillion.testing.block import disabled as disabled
    from pillion.testing.block import fake as fake
    from pillion.testing.block import inline as inline
    from pillion.testing.block import mode_name as mode_name
    from pillion.testing.block import queues as queues
    from pillion.testing.block import server_middleware as server_middleware
    from pillion.testing.clock import now as now
    from pillion.testing.clock import travel as travel
    from pillion.testing.clock import travel_to as travel_to
    from pillion.testing.clock import travel_to_next as travel_to_next
    from pillion.testing.crash.assess import crash_at_every_line as crash_at_every_line
    from pillion.testing.crash.report import CrashFailure as CrashFailure
    from pillion.testing.crash.report import CrashReport as CrashReport
    from pillion.testing.performing import perform_multiple as perform_multiple
    from pillion.testing.shared import IdempotentJob as IdempotentJob
    from pillion.testing.store import FakeQueues as FakeQueues

__all__ = [
    "CrashFailure",
    "CrashReport",
    "FakeQueues",
    "IdempotentJob",
    "assert_enqueued",
    "assert_not_enqueued",
    "crash_at_every_line",
    "disabled",
    "fake",
    "inline",
    "mode_name",
    "now",
    "perform_multiple",
    "queues",
    "server_middleware",
    "travel",
    "travel_to",
    "travel_to_next",
]

_HOMES = {
    "asserts": ("assert_enqueued", "assert_not_enqueued"),
    "block": ("disabled", "fake", "inline", "mode_name", "queues", "server_middleware"),
    "clock": ("now", "travel", "travel_to", "travel_to_next"),
    "crash.assess": ("crash_at_every_line",),
    "crash.report": ("CrashFailure", "CrashReport"),
    "performing": ("perform_multiple",),
    "shared": ("IdempotentJob",),
    "store": ("FakeQueues",),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES, globals())
