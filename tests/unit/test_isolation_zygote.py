"""The small parts of a child: how it is interrupted, where its log lines go, what the kernel is told (F066)."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from pillion import log
from pillion.config import Config
from pillion.errors import Shutdown
from pillion.server.isolation import records
from pillion.server.zygote import kin
from pillion.server.zygote.interruption import Interruption
from pillion.server.zygote.relay import Relay

# -- interruption --------------------------------------------------------------------------------------


@pytest.fixture
def told():
    """Whether the worker wants the job to end; and SIGTERM is afterwards what it was."""
    before = signal.getsignal(signal.SIGTERM)
    yield {"told": True}
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def interruption(told):
    made = Interruption(lambda: told["told"])
    made.trap()
    return made


def terminate():
    signal.raise_signal(signal.SIGTERM)


def test_it_comes_while_user_code_runs(interruption):
    with pytest.raises(Shutdown), interruption.allowed():
        terminate()


def test_it_does_not_come_before_and_after(interruption):
    terminate()
    with interruption.allowed():
        pass
    terminate()


def test_it_does_not_come_if_the_worker_has_not_said_so(interruption, told):
    told["told"] = False
    with interruption.allowed():
        terminate()


def test_it_waits_while_our_own_code_is_at_work_below_user_code(interruption):
    seen = []
    with pytest.raises(Shutdown), interruption.allowed():
        with interruption.held_back():
            with interruption.held_back():
                terminate()
            seen.append("whole")
        seen.append("never")
    assert seen == ["whole"]


def test_one_that_has_waited_too_long_is_forgotten(interruption):
    with interruption.held_back(), pytest.raises(Shutdown), interruption.allowed():
        with interruption.held_back():
            terminate()
        raise Shutdown
    with interruption.allowed(), interruption.held_back():
        pass


def test_another_thread_that_holds_it_back_does_not(interruption):
    inside, done = threading.Event(), threading.Event()

    def hold():
        with interruption.held_back():
            inside.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    with pytest.raises(Shutdown), interruption.allowed():
        terminate()
    done.set()
    thread.join()


# -- log lines -----------------------------------------------------------------------------------------


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def relay(sent):
    made = Relay(sent.append, [Kept()])
    logger = logging.getLogger("test.relay")
    logger.handlers, logger.propagate = [made], False
    yield made
    logger.handlers, logger.propagate = [], True


def test_a_record_goes_to_the_worker_while_a_job_runs_and_to_the_others_when_none_does(relay, sent):
    logger = logging.getLogger("test.relay")
    logger.warning("before")
    relay.begin()
    logger.warning("during %d", 1)
    relay.end()
    logger.warning("after")
    assert [json.loads(each)["msg"] for each in sent] == ["during 1"]
    assert [each.getMessage() for each in relay._others[0].records] == ["before", "after"]


def test_a_record_has_the_facts_that_the_worker_does_not_know(relay, sent):
    job_log = log.JobLog(logging.getLogger("pillion"), Config())
    entered = job_log.enter({"class": "A", "jid": "j", "meta.user": "ann"})
    relay.begin()
    with log.with_context(step=3):
        log.add_context(order=42)
        logging.getLogger("test.relay").warning("x")
    relay.end()
    job_log.leave(entered)
    assert json.loads(sent[0])["pillion"] == {"order": 42, "step": 3}


class Strange:
    def __str__(self):
        return "strange"


def test_a_record_is_the_same_on_the_other_side():
    kept, logger = Kept(), logging.getLogger("test.relay")
    logger.handlers, logger.propagate = [kept], False
    record = logger.makeRecord(
        "test.relay", logging.ERROR, "/app/shop.py", 7, "%s of %s", (1, "ü\nx"), None, "buy", {"thing": Strange()}
    )
    records.replay(records.pack(record, {"order": 1}))
    (back,) = kept.records
    assert back.getMessage() == "1 of ü\nx"
    assert (back.levelname, back.pathname, back.lineno, back.funcName) == ("ERROR", "/app/shop.py", 7, "buy")
    assert (back.created, back.process, back.threadName) == (record.created, record.process, record.threadName)
    assert (back.thing, back.pillion) == ("strange", {"order": 1})
    logger.handlers, logger.propagate = [], True


def test_a_record_whose_arguments_do_not_fit_hurts_nobody(relay, sent, capsys):
    relay.begin()
    relay.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
    assert sent == []
    assert "Logging error" in capsys.readouterr().err


# -- the kernel ----------------------------------------------------------------------------------------


def test_a_process_knows_its_memory():
    before = kin.rss_bytes()
    kept = bytearray(64 << 20)
    assert kin.rss_bytes() - before > 32 << 20
    del kept


def test_the_end_of_the_parent_is_seen_with_and_without_a_descriptor(monkeypatch):
    parent = kin.Parent(os.getppid())
    assert parent.can_be_watched
    assert not parent.is_gone
    parent.close()
    monkeypatch.delattr(os, "pidfd_open")
    assert not kin.Parent(os.getppid()).can_be_watched
    assert kin.Parent(os.getpid()).is_gone  # as if somebody else were the parent by now


CHILD = """
import os
from pathlib import Path
from pillion.server.zygote import kin
before = int(Path("/proc/self/oom_score_adj").read_text())
kin.be_first_to_go()
print(int(Path("/proc/self/oom_score_adj").read_text()) - before)
"""


def test_a_child_is_taken_before_its_worker_when_memory_runs_out():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 0


def test_a_process_whose_parent_has_gone_already_ends_at_once():
    code = "import os\nfrom pillion.server.zygote import kin\nkin.die_with(os.getpid())\nprint('lives')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
