"""`[queue_limits.NAME]` in a settings file (F026)."""

import pytest

from pillion.config import QueueLimit
from pillion.errors import ConfigError
from pillion.settings.readers import queue_limits


def test_each_table_is_a_limit():
    table = {"low": {"max_size": "1000", "max_latency_s": 5, "on_full": "wait", "wait_timeout_s": 0.5}}
    assert queue_limits(table, "queue_limits") == {"low": QueueLimit(1000, 5.0, "wait", 0.5)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"low": 1000}, "queue_limits, low: expected a table"),
        ({"low": {}}, "queue_limits, low: expected max_size, max_latency_s or both"),
        ({"low": {"max_size": 0}}, "queue_limits, low, max_size: expected a whole number of 1 or more"),
        ({"low": {"max_sise": 5}}, "Did you mean max_size"),
        ({"low": {"max_size": 5, "on_full": "block"}}, "queue_limits, low, on_full: expected one of raise, drop, wait"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_place(table, message):
    with pytest.raises(ConfigError, match=message):
        queue_limits(table, "queue_limits")
