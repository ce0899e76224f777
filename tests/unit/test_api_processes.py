"""Process records and running jobs, as any version of Sidekiq has written them."""

from __future__ import annotations

import json

import pytest

from pillion.api.processes import CapsuleData, ProcessData
from pillion.api.work import Work

IDENTITY = "vm:25186:23318e6a3cfb"

RUBY_8_1_7 = {  # wire-format 13, captured
    "info": b'{"hostname":"vm","started_at":1795300070.8934255,"pid":25186,"tag":"mytag","capsules":{"default":'
    b'{"concurrency":2,"mode":"weighted","weights":{"high":3,"default":1}},"single":{"concurrency":1,"mode":"weighted",'
    b'"weights":{"single":2,"other":1}}},"queues":["high","default","single","other"],"weights":[{"high":3,"default":1}'
    b',{"single":2,"other":1}],"labels":[],"identity":"vm:25186:23318e6a3cfb","version":"8.1.7","embedded":false}',
    "concurrency": b"3",
    "busy": b"1",
    "beat": b"1795300080.900098",
    "rtt_us": b"293",
    "quiet": b"false",
    "rss": b"26928",
}
BASE = {"hostname": "vm", "started_at": 1795300070.5, "pid": 25186, "tag": "", "labels": ["reliable"]}
RUBY_6_4 = {**BASE, "concurrency": 10, "queues": ["high", "default"], "identity": IDENTITY}
RUBY_7_0_2 = {**RUBY_6_4, "weights": {"high": 3, "default": 1}, "version": "7.0.2"}
RUBY_7_3 = {**RUBY_6_4, "weights": [{"high": 3, "default": 1}], "version": "7.3.10", "embedded": True}


def process(info=None, **fields):
    texts = {name: str(value).encode() for name, value in fields.items()}
    return ProcessData(IDENTITY, texts if info is None else {"info": json.dumps(info).encode(), **texts})


# -- who it is, and how ----------------------------------------------------------------------------


def test_a_process_of_sidekiq_8_1_tells_everything():
    ruby = ProcessData(IDENTITY, RUBY_8_1_7)
    assert (ruby.hostname, ruby.pid, ruby.tag, ruby.labels, ruby.version) == ("vm", 25186, "mytag", [], "8.1.7")
    assert (ruby.concurrency, ruby.busy, ruby.rtt_us, ruby.rss_kib) == (3, 1, 293, 26928)
    assert (ruby.started_at, ruby.beat_at) == (1795300070.8934255, 1795300080.900098)
    assert (ruby.is_quiet, ruby.is_embedded) == (False, False)
    assert ruby.queues == ["high", "default", "single", "other"]
    assert ruby.weights == [{"high": 3, "default": 1}, {"single": 2, "other": 1}]
    assert ruby.capsules["single"] == CapsuleData("single", 1, "weighted", {"single": 2, "other": 1})


@pytest.mark.parametrize("info", [RUBY_6_4, RUBY_7_0_2, RUBY_7_3])
def test_older_processes_tell_their_queues_and_threads(info):
    old = process(info, busy=4, beat=1795300080.5, quiet="false", rss=100, rtt_us=200)
    assert (old.queues, old.concurrency, old.busy) == (["high", "default"], 10, 4)
    assert (old.capsules, old.started_at, old.labels) == ({}, 1795300070.5, ["reliable"])


@pytest.mark.parametrize(
    ("info", "weights", "version"),
    [
        (RUBY_6_4, [], ""),
        (RUBY_7_0_2, [{"high": 3, "default": 1}], "7.0.2"),
        (RUBY_7_3, [{"high": 3, "default": 1}], "7.3.10"),
    ],
)
def test_weights_are_one_map_for_each_capsule_whether_written_as_list_or_map(info, weights, version):
    assert (process(info).weights, process(info).version) == (weights, version)


def test_the_concurrency_of_the_hash_is_newer_than_that_of_its_info():
    assert process({"concurrency": 10}, concurrency=4).concurrency == 4
    assert process({"concurrency": 10}).concurrency == 10
    assert process({"concurrency": 10}, concurrency="?").concurrency == 10
    assert process({"capsules": {"a": {"concurrency": 2}, "b": {"concurrency": 3}}}).concurrency == 5


def test_queues_come_from_wherever_they_are_written():
    assert process({"capsules": {"a": {"weights": {"x": 0, "y": 0}}, "b": {"weights": {"y": 0}}}}).queues == ["x", "y"]
    assert process({"weights": [{"x": 1}, {"y": 1}]}).queues == ["x", "y"]
    assert process({"capsules": {}, "queues": ["z"]}).queues == ["z"]


def test_quiet_and_embedded_are_told():
    assert process({"embedded": True}, quiet="true").is_embedded
    assert process({}, quiet="true").is_quiet
    assert not process({}, quiet="false").is_quiet


def test_any_key_can_be_asked_for():
    assert process({"colour": "red"})["colour"] == "red"
    assert process({})["colour"] is None


@pytest.mark.parametrize(
    "info",
    [
        b"",
        b"{",
        b"[1]",
        b'{"hostname":1,"pid":"x","tag":null,"labels":"a","capsules":[1],"queues":{},"weights":7,"started_at":"soon"}',
        b'{"capsules":{"a":null,"b":{"weights":[1],"concurrency":"x"}},"weights":[null,3],"version":8,"embedded":"yes"}',
    ],
)
def test_a_damaged_record_is_still_a_process(info):
    damaged = ProcessData(IDENTITY, {"info": info, "busy": b"x", "beat": b"nan", "rss": b"", "rtt_us": b"1.5"})
    assert (damaged.hostname, damaged.pid, damaged.tag, damaged.labels) == ("vm", 25186, "", [])
    assert (damaged.queues, damaged.concurrency, damaged.busy, damaged.version) == ([], 0, 0, "")
    assert (damaged.started_at, damaged.beat_at, damaged.rss_kib, damaged.rtt_us) == (None, None, None, None)
    assert (damaged.is_quiet, damaged.is_embedded) == (False, False)
    assert repr(damaged) == f"<ProcessData {IDENTITY} 0 of 0 busy>"


@pytest.mark.parametrize(
    ("identity", "hostname", "pid"),
    [("vm:12:ab", "vm", 12), ("fe80::1:12:ab", "fe80::1", 12), ("odd", "odd", None), ("", "", None)],
)
def test_host_and_pid_are_in_the_identity_where_the_record_does_not_say(identity, hostname, pid):
    assert (ProcessData(identity, {}).hostname, ProcessData(identity, {}).pid) == (hostname, pid)


# -- what it runs ----------------------------------------------------------------------------------

PAYLOAD = '{"class":"HardJob","args":[1,"é"],"queue":"high","jid":"c9f6793beefe481e912ac3a7"}'


def test_a_running_job_has_its_bytes():
    entry = json.dumps({"queue": "default", "payload": PAYLOAD, "run_at": 1795300070})
    work = Work(IDENTITY, "kj2", entry.encode())
    assert (work.queue, work.run_at, work.payload) == ("default", 1795300070.0, PAYLOAD.encode())
    assert (work.job.jid, work.job.job_class, work.job.queue) == ("c9f6793beefe481e912ac3a7", "HardJob", "default")
    assert (work.runs_for_s(1795300075.5), work.runs_for_s(1795300000.0)) == (5.5, 0.0)
    assert repr(work) == f"<Work HardJob c9f6793beefe481e912ac3a7 on {IDENTITY}>"


def test_a_payload_may_be_a_map_as_very_old_processes_wrote_it():
    entry = json.dumps({"queue": "default", "payload": json.loads(PAYLOAD), "run_at": 1795300070})
    assert Work(IDENTITY, "kj2", entry.encode()).payload == PAYLOAD.encode()


@pytest.mark.parametrize(
    ("value", "run_at"),
    [
        (b'{"queue":"q","payload":"{}","run_at":1795300070}', 1795300070.0),
        (b'{"queue":"q","run_at":1795300070.5,"payload":"{}"}', 1795300070.5),
        (b'{"run_at": 1795300070 }', 1795300070.0),
        (b'{"run_at":5,"payload":{"a":1,"run_at":7}}', 5.0),
        (b'{"run_at":5,"payload":"{\\"a\\":1,\\"run_at\\":7}"}', 5.0),
        (b'{"a":1,"run_at":-5}', -5.0),
    ],
)
def test_when_it_began_is_found_wherever_it_stands(value, run_at):
    assert Work(IDENTITY, "kj2", value).run_at == run_at


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xfe",
        b"no json",
        b"[]",
        b"{}",
        b'{"queue":1,"payload":7,"run_at":"now"}',
        b'{"payload":"","run_at":true}',
        b'{"run_at":1' + b"0" * 400 + b"}",
    ],
)
def test_a_damaged_entry_is_still_something_that_runs(value):
    work = Work(IDENTITY, "kj2", value)
    assert (work.queue, work.run_at, work.job.jid, work.job.job_class) == ("", None, "", "")
    assert work.runs_for_s(1795300075.5) == 0.0
    assert repr(work)
