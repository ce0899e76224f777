"""Which errors are silenced, and what the error catcher is told."""

import factories
import pytest
from pillion import RetryableError, testing
from pillion.middleware import SilenceTransientErrors
from sqlalchemy.exc import NoResultFound

from shop import services
from shop.behaviours import Behaviour, set_behaviour
from shop.error_reports import tell
from shop.jobs import CompleteOrderJob, RequestOrderFulfillmentJob
from shop.services import ClientError, ErrorCatcher, ServerError, TooManyRequests
from shop.settings import settings
from shop.worker import TRANSIENT


@pytest.fixture
def silenced():
    testing.server_middleware().add(SilenceTransientErrors(TRANSIENT))


@pytest.mark.parametrize(
    ("behaviour", "kind"), [(Behaviour(crash=True), ServerError), (Behaviour(throttle=True), TooManyRequests)]
)
def test_a_service_in_trouble_is_silenced(silenced, behaviour, kind):
    factories.order()
    set_behaviour("payments", behaviour)
    CompleteOrderJob.perform_async(1)
    with pytest.raises(RetryableError) as raised:
        CompleteOrderJob.drain()
    assert type(raised.value.original) is kind


def test_a_call_that_is_wrong_is_not_silenced(silenced):
    factories.order(address=" ")
    RequestOrderFulfillmentJob.perform_async(1)
    with pytest.raises(ClientError, match=r"422: .*Missing address"):
        RequestOrderFulfillmentJob.drain()


def test_an_order_that_does_not_exist_is_not_silenced(silenced):
    CompleteOrderJob.perform_async(-99)
    with pytest.raises(NoResultFound):
        CompleteOrderJob.drain()


def test_a_job_that_works_is_left_alone(silenced):
    factories.order()
    CompleteOrderJob.perform_async(1)
    assert CompleteOrderJob.drain() == 1


def told():
    return [(row["exception_class"], row["exception_message"]) for row in services.error_catcher().rows()]


def test_the_catcher_is_told_of_an_error():
    assert services.error_catcher().notify(ValueError("no")) == "sent"
    assert told() == [("ValueError", "no")]


def test_the_catcher_is_told_in_words():
    services.error_catcher().notify("Pillion is not running!")
    assert told() == [("message", "Pillion is not running!")]


def test_the_catcher_is_not_told_of_what_it_ignores():
    catcher = ErrorCatcher(settings().error_catcher_url, ignored_errors=frozenset({KeyError}))
    assert catcher.notify(KeyError("x")) == "ignored"
    assert catcher.notify(LookupError("a base of it")) == "sent"
    assert told() == [("LookupError", "a base of it")]


def test_of_a_death_the_job_is_told():
    tell(ValueError("no"), {"context": "Job died", "job": {"class": "shop.jobs.CompleteOrderJob", "args": [7]}})
    assert told() == [("message", "shop.jobs.CompleteOrderJob [7] has died: no")]
