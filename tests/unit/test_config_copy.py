"""A copy of a Config: what an embedded worker changes in its own must not reach the process around it."""

import pytest

from pillion.config import Config, QueueLimit, QueueSpec
from pillion.errors import ConfigError
from pillion.middleware import ServerChain


def nothing() -> None: ...


def around(job, payload, queue):
    yield


@pytest.fixture
def config():
    config = Config(queues=["high,3"], concurrency=7, tag="shop", default_job_options={"retry": 3}, labels=("a",))
    config.queue_limits["high"] = QueueLimit(max_size=5)
    config.capsule("slow").server_middleware = ServerChain()
    config.client_middleware.add(lambda *args: args[-1]())
    config.on("startup", nothing)
    return config


def test_it_has_the_same_settings(config):
    twin = config.copy()
    assert {name: getattr(twin, name) for name in ("tag", "labels", "default_job_options", "queue_limits")} == {
        "tag": "shop",
        "labels": ("a",),
        "default_job_options": {"retry": 3},
        "queue_limits": {"high": QueueLimit(max_size=5)},
    }
    assert (twin.queues, twin.concurrency, list(twin.capsules)) == ([QueueSpec("high", 3)], 7, ["default", "slow"])
    assert (len(twin.client_middleware), twin.hooks("startup")) == (1, (nothing,))


def test_what_is_changed_in_it_stays_in_it(config):
    twin = config.copy()
    twin.queues, twin.concurrency = ["low"], 2
    twin.default_job_options["retry"] = 0
    twin.queue_limits.clear()
    twin.error_handlers.append(print)
    twin.client_middleware.clear()
    twin.server_middleware.add(around)
    twin.capsule("slow").server_middleware.add(around)
    twin.capsule("new")
    twin.on("startup", nothing)
    assert (config.queues, config.concurrency, list(config.capsules)) == (
        [QueueSpec("high", 3)],
        7,
        ["default", "slow"],
    )
    assert (config.default_job_options, list(config.queue_limits)) == ({"retry": 3}, ["high"])
    assert (config.error_handlers, len(config.client_middleware), len(config.server_middleware)) == ([], 1, 0)
    assert (len(config.capsule("slow").server_middleware), config.hooks("startup")) == (0, (nothing,))


def test_the_copy_of_a_frozen_one_is_not_frozen(config):
    config.freeze()
    twin = config.copy()
    twin.tag = "other"
    with pytest.raises(ConfigError):
        config.tag = "other"
