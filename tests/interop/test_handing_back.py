"""A job that one language hands back when it has to stop is run by the other (wire-format 2.3)."""

import json


def pushed_and_started(both, queue):
    jid = both.push("Hold", "gate", queue=queue, tenant=7)
    (before,) = both.raw.lrange(f"queue:{queue}", 0, -1)
    return jid, before


def test_ruby_hands_back_the_same_bytes_and_pillion_runs_them(both):
    jid, before = pushed_and_started(both, "q")
    # One thread: an idle one of the same process may pop what was just handed back, and Ruby then loses it.
    ruby = both.start_ruby("q", concurrency=1, timeout_s=1)
    assert both.ledger.wait_for(jid, "start")["by"] == "ruby"
    ruby.stop()
    assert both.raw.lrange("queue:q", 0, -1) == [before]
    assert both.members("retry") == []
    both.start_pillion("q")
    assert both.ledger.wait_for(jid, "start", times=2)["by"] == "pillion"
    both.ledger.open("gate")
    both.ledger.wait_for(jid)


def test_pillion_hands_back_the_same_bytes_and_ruby_runs_them(both):
    jid, before = pushed_and_started(both, "q")
    pillion = both.start_pillion("q", timeout_s=1)
    assert both.ledger.wait_for(jid, "start")["by"] == "pillion"
    pillion.signal("TERM")
    both.wait_until(lambda: both.raw.lrange("queue:q", 0, -1), "the job's return")
    assert both.raw.lrange("queue:q", 0, -1) == [before]
    assert both.members("retry") == []
    both.start_ruby("q")
    assert both.ledger.wait_for(jid, "start", times=2)["by"] == "ruby"
    both.ledger.open("gate")
    both.ledger.wait_for(jid)


def test_a_job_handed_back_runs_before_those_that_wait(both):
    waiting = [both.push("Echo", n, queue="q") for n in range(3)]
    first = both.push("Hold", "gate", queue="q")
    both.raw.rpush("queue:q", both.raw.lpop("queue:q"))  # so that it is taken first
    pillion = both.start_pillion("q", timeout_s=1, concurrency=1)
    both.ledger.wait_for(first, "start")
    pillion.signal("TERM")
    both.wait_until(lambda: both.raw.llen("queue:q") == 4, "the job's return")
    shown = both.ruby("Sidekiq::Queue.new('q').map(&:jid)")
    assert shown == [*reversed(waiting), first]
    assert json.loads(both.raw.lindex("queue:q", -1))["jid"] == first
