"""What one language stores, the other would store byte for byte (wire-format 0.1)."""

import json
import time

import pytest

from pillion.wire import codec

ARGS = [
    None, True, "naïve ☃ 🦊", "a\u2028b\x00\x1b\x7f\"\\/\n", 2**64, -(2**63) - 1, 0.1, 1.5, 100.0, -0.0, 123456789.25,
    [[], {}, [{"a": {"ключ": None}}]], {"z": 1, "a": [2]}, "<>&'",
]  # fmt: skip
OPTIONS = {"queue": "elsewhere", "retry": 3, "tags": ["ü"], "backtrace": 5, "tenant": {"id": 7, "é": 0.5}}

# Ruby's json before 2.15 (Debian's has 2.6) spells these in its own way: same value, other text.
SPELLED_OTHERWISE = {"1e+16": 1e16, "1.5e+300": 1.5e300, "0.00001": 1e-5, "1e-10": 1e-10}


def stored(both, key):
    """The one payload that a list or sorted set has."""
    assert both.raw.type(key) in (b"list", b"zset")
    members = both.raw.lrange(key, 0, -1) if both.raw.type(key) == b"list" else both.members(key)
    assert len(members) == 1
    return members[0]


class TestWrittenByPillion:
    def test_ruby_would_write_the_same_bytes(self, both):
        both.push("Echo", *ARGS, **OPTIONS)
        raw = stored(both, "queue:elsewhere")
        assert both.ruby("rewritten(raw)", raw=raw.decode()).encode() == raw

    def test_ruby_would_write_the_same_bytes_of_a_scheduled_job(self, both):
        both.push("Echo", *ARGS, at=time.time() + 1e6, **OPTIONS)
        raw = stored(both, "schedule")
        assert both.ruby("rewritten(raw)", raw=raw.decode()).encode() == raw

    def test_ruby_reads_each_key(self, both):
        jid = both.push("Echo", *ARGS, **OPTIONS)
        seen = both.ruby("Sidekiq::Queue.new('elsewhere').find_job(jid).item", jid=jid)
        assert json.dumps(seen["args"]) == json.dumps(ARGS)
        assert {key: seen[key] for key in OPTIONS} == OPTIONS
        assert (seen["class"], seen["jid"]) == ("Echo", jid)

    def test_ruby_lists_the_queue(self, both):
        both.push("Echo", 1, queue="elsewhere")
        assert both.ruby("Sidekiq::Queue.all.map { |queue| [queue.name, queue.size] }") == [["elsewhere", 1]]

    def test_ruby_removes_the_job_by_its_bytes(self, both):
        jid = both.push("Echo", *ARGS, queue="elsewhere")
        assert both.ruby("Sidekiq::Queue.new('elsewhere').find_job(jid).delete", jid=jid) is True
        assert both.raw.llen("queue:elsewhere") == 0


class TestWrittenByRuby:
    def test_pillion_would_write_the_same_bytes(self, both):
        both.ruby.push("Echo", *ARGS, **OPTIONS)
        raw = stored(both, "queue:elsewhere")
        assert codec.dumps(codec.loads_job(raw)) == raw

    def test_pillion_would_write_the_same_bytes_of_a_scheduled_job(self, both):
        both.ruby.push("Echo", *ARGS, at=time.time() + 1e6, **OPTIONS)
        raw = stored(both, "schedule")
        assert codec.dumps(codec.loads_job(raw)) == raw


class TestSamePush:
    """The same item pushed by both: the same keys, the same order, apart from the unit of time (wire-format 14)."""

    @pytest.mark.parametrize("item", [{}, OPTIONS, {"tags": ["a"], "retry": False}], ids=["plain", "options", "tags"])
    def test_both_store_the_same_keys_in_the_same_order(self, both, item):
        queue = item.get("queue", "default")
        both.ruby.push("Echo", 1, **item)
        ruby = json.loads(both.raw.rpop(f"queue:{queue}"))
        both.push("Echo", 1, **item)
        pillion = json.loads(both.raw.rpop(f"queue:{queue}"))
        assert list(pillion) == list(ruby)
        own = ("jid", "created_at", "enqueued_at")
        assert {k: v for k, v in pillion.items() if k not in own} == {k: v for k, v in ruby.items() if k not in own}

    def test_times_are_milliseconds_as_since_8_0_and_seconds_in_ruby_6(self, both):
        before_s = time.time()
        both.ruby.push("Echo")
        ruby = json.loads(both.raw.rpop("queue:default"))
        both.push("Echo")
        pillion = json.loads(both.raw.rpop("queue:default"))
        assert before_s <= ruby["enqueued_at"] <= pillion["enqueued_at"] / 1000 + 0.001
        assert isinstance(ruby["created_at"], float)
        assert isinstance(pillion["created_at"], int)


class TestFloatsThatOldRubySpellsOtherwise:
    @pytest.mark.parametrize("text", SPELLED_OTHERWISE)
    def test_pillion_writes_them_as_ruby_json_2_15_does(self, both, text):
        both.push("Echo", SPELLED_OTHERWISE[text])
        assert f'"args":[{text}]'.encode() in stored(both, "queue:default")

    @pytest.mark.parametrize("value", SPELLED_OTHERWISE.values(), ids=SPELLED_OTHERWISE)
    def test_each_reads_the_text_of_the_other(self, both, value):
        jid = both.push("Echo", value)
        assert both.ruby("Sidekiq::Queue.new.find_job(jid).args", jid=jid) == [value]
        both.raw.delete("queue:default")
        both.ruby.push("Echo", value)
        assert codec.loads_job(stored(both, "queue:default"))["args"] == [value]
