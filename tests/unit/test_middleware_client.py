"""The client chain: what it passes on, what it stops, what its result means (behaviour 1.2 and 3)."""

import logging
from contextlib import contextmanager

import pytest

from pillion.middleware import ClientChain


def chain_of(*middleware):
    chain = ClientChain()
    for one in middleware:
        chain.add(one)
    return chain


def invoke(chain, payload=None):
    return chain.invoke("K", {"class": "K", "args": [1]} if payload is None else payload, "default", "pool")


def test_an_empty_chain_returns_the_payload_itself():
    payload = {"class": "K", "args": []}
    assert invoke(ClientChain(), payload) is payload


def test_middleware_sees_class_payload_queue_and_pool():
    seen = []

    def spy(job_class, payload, queue, redis_pool, next_):
        seen.append((job_class, payload["args"], queue, redis_pool))
        return next_()

    invoke(chain_of(spy))
    assert seen == [("K", [1], "default", "pool")]


def test_the_first_added_is_the_outermost():
    log = []

    def around(name):
        def middleware(job_class, payload, queue, redis_pool, next_):
            log.append(f"{name} in")
            result = next_()
            log.append(f"{name} out")
            return result

        return middleware

    invoke(chain_of(around("outer"), around("inner")))
    assert log == ["outer in", "inner in", "inner out", "outer out"]


def test_a_class_is_made_anew_for_each_invocation_with_its_arguments():
    made = []

    class Stamp:
        def __init__(self, key, *, value):
            made.append(self)
            self.key, self.value = key, value

        def __call__(self, job_class, payload, queue, redis_pool, next_):
            payload[self.key] = self.value
            return next_()

    chain = ClientChain()
    chain.add(Stamp, "host", value="h1")
    assert invoke(chain)["host"] == "h1"
    assert invoke(chain)["host"] == "h1"
    assert len({id(one) for one in made}) == 2


def test_a_class_with_a_config_attribute_is_given_the_bound_config():
    class Curious:
        config = None

        def __call__(self, job_class, payload, queue, redis_pool, next_):
            payload["seen"] = self.config
            return next_()

    chain = chain_of(Curious)
    chain.bind("the config")
    assert invoke(chain)["seen"] == "the config"
    assert Curious.config is None
    assert invoke(chain.copy())["seen"] == "the config"


@pytest.mark.parametrize("verdict", [None, False, {}])
def test_a_falsy_result_stops_the_push(verdict):
    assert invoke(chain_of(lambda job_class, payload, queue, redis_pool, next_: verdict)) is None


def test_not_calling_the_inner_one_skips_what_is_inside():
    reached = []
    outer = lambda job_class, payload, queue, redis_pool, next_: None  # noqa: E731
    inner = lambda job_class, payload, queue, redis_pool, next_: reached.append(1)  # noqa: E731
    assert invoke(chain_of(outer, inner)) is None
    assert reached == []


def test_another_map_that_is_returned_is_pushed_instead():
    other = {"class": "Other", "args": []}
    assert invoke(chain_of(lambda job_class, payload, queue, redis_pool, next_: other)) is other


def test_a_true_result_means_the_payload_as_it_is_now():
    def stamp(job_class, payload, queue, redis_pool, next_):
        payload["x"] = 1
        next_()
        return True

    assert invoke(chain_of(stamp)) == {"class": "K", "args": [1], "x": 1}


def test_forgetting_to_return_warns(caplog):
    def forgetful(job_class, payload, queue, redis_pool, next_):
        next_()

    with caplog.at_level(logging.WARNING, "pillion"):
        assert invoke(chain_of(forgetful)) is None
    assert "return next_()" in caplog.text


def test_stopping_on_purpose_does_not_warn(caplog):
    with caplog.at_level(logging.WARNING, "pillion"):
        invoke(chain_of(lambda job_class, payload, queue, redis_pool, next_: None))
        invoke(chain_of(lambda job_class, payload, queue, redis_pool, next_: next_() and False))
    assert caplog.text == ""


def test_a_generator_middleware_passes_the_payload_on():
    def stamp(job_class, payload, queue, redis_pool):
        payload["before"] = True
        yield
        payload["after"] = True

    assert invoke(chain_of(stamp)) == {"class": "K", "args": [1], "before": True, "after": True}


def test_a_generator_that_ends_before_its_yield_stops_the_push():
    def veto(job_class, payload, queue, redis_pool):
        if payload["class"] != "K":
            yield

    assert invoke(chain_of(veto)) is None


def test_a_contextmanager_function_is_a_generator_middleware():
    @contextmanager
    def stamp(job_class, payload, queue, redis_pool):
        payload["cm"] = True
        yield

    assert invoke(chain_of(stamp))["cm"] is True


def test_an_error_in_middleware_comes_out():
    def broken(job_class, payload, queue, redis_pool, next_):
        raise LookupError("no tenant")

    with pytest.raises(LookupError, match="no tenant"):
        invoke(chain_of(broken))
