"""QueueWait: what it says of moved jobs when one of its lines breaks."""

import pytest
from engine import until

from pillion.errors import RedisUnavailable
from pillion.storage.ops.work import Route
from pillion.storage.queue_wait import QueueWait

ME = "host:1:me"


@pytest.fixture
def wait(storage):
    routes = [Route.of(name, ME) for name in ("a", "b")]
    wait = QueueWait(storage.link_connection, storage.explain, routes, timeout_s=30)
    yield wait
    wait.close()


def test_a_job_moved_beside_a_line_that_broke_is_left_to_the_drain(wait, raw):
    """It lies in its private list. Said again by a later wait, it would run a second time."""
    wait.wake()
    assert wait.wait() is False
    raw.client_kill_filter(_id=wait._lines[1].client_id)
    until(lambda: raw.info("clients")["blocked_clients"] == 1)
    raw.lpush("queue:a", "job")
    until(lambda: raw.llen(f"{{queue:a}}:wait:{ME}") == 1)
    with pytest.raises(RedisUnavailable):
        wait.wait()
    assert wait.take_moved() == []


def test_a_move_that_cannot_be_called_off_is_ended_by_closing_its_line(wait, raw):
    wait.wake()
    assert wait.wait() is False
    for _ in range(100):
        wait.cancel_ops()  # not carried out, as for a user without the right to CLIENT UNBLOCK
        late = wait.settle_cancelled()
        if not wait.armed:
            break
    assert (wait.armed, late) == (False, True)
    until(lambda: raw.info("clients")["blocked_clients"] == 0)
