"""What a sleeping process makes of news about pauses: the waiters, without an engine around them."""

import pytest
from engine import until

from pillion.storage.control import Control
from pillion.storage.ops import pause
from pillion.storage.ops.work import Route
from pillion.storage.queue_poll import QueuePoll
from pillion.storage.queue_wait import QueueWait

ME = "host:1:me"
ROUTES = [Route.of(name, ME) for name in ("a", "b")]


@pytest.fixture
def control(storage):
    return Control(storage.link_connection, ["a", "b"])


@pytest.fixture
def wait(storage, control):
    wait = QueueWait(storage.link_connection, storage.explain, ROUTES, timeout_s=30, control=control)
    yield wait
    wait.close()


def _blocked(raw, moves):
    until(lambda: raw.info("clients")["blocked_clients"] == moves)


def _subscribed(wait):
    """Sleep until the subscription is confirmed. That counts as news: what came before was missed."""
    assert wait.wait() is True
    assert wait.unsure


def test_a_job_that_came_after_the_news_is_not_to_be_trusted(wait, storage, raw):
    _subscribed(wait)
    storage.run(pause.pause("a"))
    raw.lpush("queue:a", "job")
    until(lambda: raw.llen(f"{{queue:a}}:wait:{ME}") == 1)
    assert wait.wait() is True
    assert wait.unsure


def test_a_job_without_news_may_run_at_once(wait, raw):
    _subscribed(wait)
    raw.lpush("queue:a", "job")
    assert wait.wait() is True
    assert not wait.unsure
    assert [payload for _, payload in wait.take_moved()] == [b"job"]


def test_news_of_queues_that_are_served_elsewhere_do_not_wake(wait, storage):
    _subscribed(wait)
    storage.run(pause.pause("elsewhere"))
    assert wait.wait() is False
    assert not wait.unsure


def test_no_move_is_under_way_for_a_paused_queue(wait, raw):
    wait.wake()
    wait.wait(("a",))
    _blocked(raw, 1)
    raw.lpush("queue:a", "job")
    raw.lpush("queue:b", "other")
    until(lambda: raw.llen(f"{{queue:b}}:wait:{ME}") == 1)
    assert raw.llen("queue:a") == 1


def test_a_move_that_is_under_way_when_the_pause_is_known_is_to_be_called_off(wait, raw):
    _subscribed(wait)
    _blocked(raw, 2)
    assert wait.wait(("a",)) is True
    assert wait.take_moved() == []


def test_a_subscription_that_broke_makes_it_unsure_until_it_is_back(wait, raw):
    _subscribed(wait)
    raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert wait.wait() is False
    assert wait.unsure
    assert wait.look_every_s == 1.0
    until(lambda: wait.wait())
    wait.wake()
    assert wait.wait() is False
    assert not wait.unsure


def test_a_closed_waiter_subscribes_no_more(wait, raw):
    _subscribed(wait)
    wait.close()
    assert wait.overhear() is False
    until(lambda: raw.pubsub_numsub("pl:control")[0][1] == 0)


def test_a_process_that_does_not_sleep_overhears_the_news(wait, storage):
    until(wait.overhear)  # it is subscribed
    assert wait.overhear() is False
    storage.run(pause.pause("a"))
    until(wait.overhear)


def test_polling_leaves_paused_queues_out(storage, control, raw):
    poll = QueuePoll(storage.run, ROUTES, control=control)
    assert poll.wait() is True  # it is subscribed
    raw.lpush("queue:a", "job")
    assert poll.wait(("a",)) is False
    raw.lpush("queue:b", "job")
    assert poll.wait(("a",)) is True
    poll.close()
