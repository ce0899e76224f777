"""What a zygote is told once, and a child with each job (F066)."""

from __future__ import annotations

import logging
import ssl

import pytest
from sentinel_error import SentinelError

from pillion import log
from pillion.ambient import context
from pillion.config import Config, QueueLimit, QueueSpec, RedisConfig
from pillion.definition.registry import JobDefinition
from pillion.errors import ChildNotStarted, JobArgumentError
from pillion.server.isolation.app import App
from pillion.server.isolation.order import Boot, Errand, Order, is_plain


def boot_of(**options):
    return Boot.unpack(Boot.of(Config(**options), App(targets=("shop.jobs",))).pack())


def errand(payload, **options):
    definition = JobDefinition("shop.Report", SentinelError)
    definition.declare({"execution": "process", **options})
    return Errand.of(definition, payload, "low")


def test_settings_that_are_values_reach_the_child():
    boot = boot_of(
        redis=RedisConfig(url="redis://:secret@host/3", pool_size=7, ssl={"ssl_ca_certs": "/ca.pem"}),
        tag="shop",
        labels=("eu", "a"),
        timeout_s=8.0,
        default_job_options={"retry": 3},
        queue_limits={"low": QueueLimit(max_size=5)},
    )
    config = boot.config()
    assert config.redis == RedisConfig(url="redis://:secret@host/3", pool_size=7, ssl={"ssl_ca_certs": "/ca.pem"})
    assert (config.tag, config.labels, config.timeout_s) == ("shop", ("eu", "a"), 8.0)
    assert (config.default_job_options, config.queue_limits) == ({"retry": 3}, {"low": QueueLimit(max_size=5)})
    config.validate()


def test_capsules_reach_the_child_without_their_code():
    config = Config(queues=["high,3", "default"], concurrency=4)
    config.capsule("slow").queues = [QueueSpec("reports")]
    config.capsule("slow").server_middleware = config.server_middleware.copy()
    made = Boot.unpack(Boot.of(config, App()).pack()).config()
    assert made.queues == [QueueSpec("high", 3), QueueSpec("default", 0)]
    assert (made.concurrency, made.capsules["slow"].queues) == (4, [QueueSpec("reports")])
    assert made.capsules["slow"].server_middleware is None


def test_what_is_code_comes_from_the_application_and_not_from_the_worker():
    config = Config()
    config.server_middleware.add(lambda job, payload, queue, next_: next_())
    config.error_handlers.append(print)
    config.on("startup", print)
    made = Boot.unpack(Boot.of(config, App()).pack()).config()
    assert (len(made.server_middleware), made.error_handlers, made.hooks("startup")) == (0, [], ())


def test_a_setting_that_cannot_be_sent_is_named():
    with pytest.raises(ChildNotStarted, match="SSLContext"):
        boot_of(redis=RedisConfig(url="rediss://host", ssl={"ssl_context": ssl.create_default_context()}))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(1, True), ("a", True), (None, True), ([1, ("a",)], True), ({"a": [1]}, True), (print, False), ([print], False)],
)
def test_what_is_a_value(value, wanted):
    assert is_plain(value) is wanted


def test_an_order_has_the_payload_as_it_is_and_what_holds_around_it():
    payload = {"class": "shop.Report", "args": [1, "ä", {"deep": [1.5, None]}, 2**70], "jid": "j", "meta.user": "ann"}
    job_log = log.JobLog(logging.getLogger("pillion"), Config())
    token = job_log.enter(payload)
    with context(project="shop"):
        order = Order.read(errand(payload).body)
    job_log.leave(token)
    assert (order.name, order.queue, order.payload) == ("shop.Report", "low", payload)
    assert order.meta == {"meta.user": "ann", "meta.project": "shop"}


def test_an_order_with_line_breaks_in_texts_is_read_as_it_was_written():
    order = Order.read(errand({"class": "shop.Report", "args": ["a\nb\r\n\u2028"], "jid": "\n"}).body)
    assert order.payload["args"] == ["a\nb\r\n\u2028"]


def test_what_is_no_json_in_a_payload_stays_behind_but_for_arguments():
    order = Order.read(errand({"class": "shop.Report", "args": [1], "span": object(), "kept": True}).body)
    assert order.payload == {"class": "shop.Report", "args": [1], "kept": True}
    with pytest.raises(JobArgumentError, match="object"):
        errand({"class": "shop.Report", "args": [object()]})


def test_the_hard_timeout_of_an_errand():
    payload = {"class": "shop.Report", "args": []}
    assert errand(payload).hard_timeout_s is None
    assert errand(payload, hard_timeout_s=5).hard_timeout_s == 5.0
    assert errand({**payload, "hard_timeout_s": 2}, hard_timeout_s=5).hard_timeout_s == 2.0
