"""Iterable jobs beside Ruby: a Ruby process cancels them, reads and writes their state (wire-format 10).

The Ruby at hand, 6.4, has no iterable jobs. So it is told to send what 8.1 sends, command by command as the
wire format has it, and to read what 8.1 reads, in the way it does.
"""

from __future__ import annotations

import json

# What cancel! sends, and below what a flush sends.
CANCEL = """
Sidekiq.redis do |conn|
  conn.pipelined do |pipe|
    pipe.hsetnx("it-#{jid}", "cancelled", Time.now.to_i)
    pipe.hget("it-#{jid}", "cancelled")
    pipe.call(["EXPIRE", "it-#{jid}", 2592000, "NX"])
  end
end
"""
FLUSH = """
Sidekiq.redis do |conn|
  conn.multi do |pipe|
    pipe.hset("it-#{jid}", "ex", ex, "c", JSON.generate(c), "rt", rt)
    pipe.call(["EXPIRE", "it-#{jid}", 2592000, "NX"])
    pipe.hget("it-#{jid}", "cancelled")
  end
end
"""
# What a resuming Ruby makes of the state: JSON.parse raises for anything that is no JSON.
RESUME = """
state = Sidekiq.redis { |conn| conn.hgetall("it-#{jid}") }
{"ex" => Integer(state["ex"]), "c" => JSON.parse(state["c"]), "rt" => Float(state["rt"]), "keys" => state.keys}
"""


def items(both, jid):
    return [
        int(run["event"].split()[1]) for run in both.ledger.runs if run["jid"] == jid and run["event"][:4] == "item"
    ]


def test_ruby_cancels_a_running_job_and_it_stops_before_its_next_item(both):
    jid = both.push("IterJob", 1000, 5, queue="q")
    both.start_pillion("q")
    both.ledger.wait_for(jid, "item 5")
    replies = both.ruby(CANCEL, jid=jid)
    assert replies[0] in (True, 1)
    both.ledger.open(f"{jid}-5")
    both.ledger.wait_for(jid, "complete")
    assert items(both, jid) == list(range(6))
    assert both.ledger.of(jid, "cancelled")
    both.wait_until(lambda: not both.raw.exists(f"it-{jid}"))
    assert both.ruby("[Sidekiq::RetrySet.new.size, Sidekiq::Stats.new.failed]") == [0, 0]


def test_ruby_cancels_a_job_that_waits(both):
    jid = both.push("IterJob", 1000, queue="q")
    both.ruby(CANCEL, jid=jid)
    both.start_pillion("q")
    both.ledger.wait_for(jid, "complete")
    assert items(both, jid) == []


def test_ruby_reads_what_an_interrupted_job_has_left_and_has_its_payload(both):
    jid = both.push("IterJob", 1000, 5, queue="q")
    first = both.start_pillion("q")
    both.ledger.wait_for(jid, "item 5")
    first.signal("TERM")
    first.wait_log("Stopping (TERM)")
    both.ledger.open(f"{jid}-5")
    assert first.wait() == 0
    state = both.ruby(RESUME, jid=jid)
    assert (state["ex"], state["c"], state["keys"]) == (1, 6, ["ex", "c", "rt"])
    assert state["rt"] > 0
    assert 2_592_000 - 600 < both.raw.ttl(f"it-{jid}") <= 2_592_000
    waiting = both.ruby("Sidekiq::Queue.new('q').map { |job| [job.jid, job.klass, job.args] }")
    assert waiting == [[jid, "IterJob", [1000, 5]]]
    assert both.ruby("Sidekiq::Stats.new.failed") == 0


def test_pillion_goes_on_with_what_ruby_has_left(both):
    """The payload and the state of the vectors: 28 items were done in 14 s when a Ruby 8.1.7 was stopped."""
    jid = "ff783924d8ee0c8b2308a38c"
    both.ruby(FLUSH, jid=jid, ex=1, c=28, rt=14.018299347000038)
    payload = {
        "retry": True,
        "queue": "q",
        "args": [40],
        "class": "IterJob",
        "jid": jid,
        "created_at": 1795300070532,
        "enqueued_at": 1795300070532,
    }
    both.raw.lpush("queue:q", json.dumps(payload, separators=(",", ":")))
    both.start_pillion("q")
    both.ledger.wait_for(jid, "complete")
    assert items(both, jid) == list(range(28, 40))
    both.wait_until(lambda: not both.raw.exists(f"it-{jid}"))
