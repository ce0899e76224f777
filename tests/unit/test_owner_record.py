"""Owner records, and when a process is surely dead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from pillion.server.owner import OwnerRecord, Place, ProcessState, look_at, parse_stat, surely_dead, this_place

HERE = Place("vm", "b00t", 4026531836)
OWNER = OwnerRecord(("default", "high"), "vm", 4242, "b00t", 4026531836, 1000)


def seen(state: ProcessState | None) -> Callable[[int], ProcessState | None]:
    return lambda pid: state


# -- the record ------------------------------------------------------------------------------------


def test_a_record_survives_being_written_and_read() -> None:
    assert OwnerRecord.parse(OWNER.dump()) == OWNER


def test_a_record_has_the_keys_of_the_layout() -> None:
    assert (
        OWNER.dump()
        == b'{"queues":["default","high"],"host":"vm","pid":4242,"boot":"b00t","pidns":4026531836,"start":1000}'
    )


@pytest.mark.parametrize("raw", [b"", b"no json", b"[1]", b'{"queues":7,"pid":"x","start":true}', b'{"queues":[5]}'])
def test_a_record_that_cannot_be_read_tells_nothing(raw: bytes) -> None:
    assert OwnerRecord.parse(raw) == OwnerRecord(())


def test_the_record_of_this_process_says_it_lives() -> None:
    record = OwnerRecord.of_this_process(["default"])
    assert (record.pid, record.queues) == (os.getpid(), ("default",))
    assert not surely_dead(record, this_place())


# -- surely dead -----------------------------------------------------------------------------------


def test_a_process_that_is_gone_is_dead() -> None:
    assert surely_dead(OWNER, HERE, seen(None))


def test_a_process_id_used_again_is_dead() -> None:
    assert surely_dead(OWNER, HERE, seen(ProcessState(1001)))


def test_a_zombie_is_dead() -> None:
    assert surely_dead(OWNER, HERE, seen(ProcessState(1000, ended=True)))


def test_the_same_process_lives() -> None:
    assert not surely_dead(OWNER, HERE, seen(ProcessState(1000)))


def test_a_process_that_may_not_be_looked_at_counts_as_living() -> None:
    assert not surely_dead(OWNER, HERE, seen(ProcessState(None)))


@pytest.mark.parametrize(
    "elsewhere",
    [replace(HERE, host="other"), replace(HERE, boot="other"), replace(HERE, pidns=1), Place("vm", None, None)],
    ids=["another host", "after a reboot", "another container", "a system that does not tell"],
)
def test_from_another_place_nothing_can_be_said(elsewhere: Place) -> None:
    assert not surely_dead(OWNER, elsewhere, seen(None))


def test_two_unknown_places_are_not_the_same_place() -> None:
    unknown = Place("vm", None, None)
    assert not surely_dead(replace(OWNER, boot=None, pidns=None), unknown, seen(None))


@pytest.mark.parametrize("pid", [None, 0, -1])
def test_a_record_without_a_process_id_tells_nothing(pid: int | None) -> None:
    assert not surely_dead(replace(OWNER, pid=pid), HERE, seen(None))


# -- looking at a process --------------------------------------------------------------------------


def stat_line(name: str = "python", state: str = "S", threads: int = 5, start: int = 987) -> str:
    between = "0 " * 16
    return f"4242 ({name}) {state} {between}{threads} 0 {start} 0 0"


def test_the_start_is_read_from_the_stat_line() -> None:
    assert parse_stat(stat_line()) == ProcessState(987)


def test_brackets_and_blanks_in_the_name_do_no_harm() -> None:
    assert parse_stat(stat_line(name="a) Z (b")) == ProcessState(987)


def test_a_zombie_has_ended() -> None:
    assert parse_stat(stat_line(state="Z", threads=1)).ended


def test_a_process_whose_first_thread_ended_before_the_others_runs_on() -> None:
    assert not parse_stat(stat_line(state="Z", threads=3)).ended


def test_a_stat_line_of_an_unknown_form_tells_nothing() -> None:
    assert parse_stat("what is this") == ProcessState(None)


def test_a_process_is_seen_to_live_to_become_a_zombie_and_to_go() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        record = replace(OwnerRecord.of_this_process([]), pid=child.pid, start=_start_of(child.pid))
        assert not surely_dead(record, this_place())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert surely_dead(record, this_place())
        child.wait()
        assert surely_dead(record, this_place())


def _start_of(pid: int) -> int | None:
    state = look_at(pid)
    assert state is not None
    return state.start
