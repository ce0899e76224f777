"""What `Config.validate` refuses."""

import pytest

from pillion.config import Config
from pillion.errors import ConfigError


def test_a_queue_in_two_capsules_is_refused_by_name():
    """Both would number their leases in the same hash: one capsule's job would overwrite the other's."""
    config = Config(queues=["high", "default"])
    config.capsule("slow").queues = Config(queues=["default"]).queues
    with pytest.raises(ConfigError, match=r"capsules: expected each queue in one capsule only.*'default'"):
        config.validate()


def test_capsules_of_different_queues_are_fine():
    config = Config(queues=["high"])
    config.capsule("slow").queues = Config(queues=["low"]).queues
    config.validate()
