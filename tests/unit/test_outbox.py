"""What was decided about finished jobs stays in the outbox until Redis has answered."""

from datetime import date

from pillion.server.outbox import Outbox
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops.base import command
from pillion.storage.ops.work import Route

ROUTE = Route.of("default", "me")


def _outbox(*tokens: int):
    held = {token: UnitOfWork("default", token, b"{}") for token in tokens}
    return Outbox([ROUTE], held, lambda: date(2026, 11, 22)), held


def _tokens(parcel):
    return [unit.token for unit in parcel.units]


def test_an_empty_outbox_has_nothing_to_send():
    outbox, _ = _outbox()
    assert not outbox
    assert outbox.pack() == []


def test_finished_jobs_go_into_one_op():
    outbox, held = _outbox(1, 2, 3)
    for unit in held.values():
        outbox.acknowledge(unit)
    (parcel,) = outbox.pack()
    assert parcel.op.args[-4:] == (3, 1, 2, 3)  # how many, then the tokens


def test_a_job_is_held_until_redis_has_answered():
    outbox, held = _outbox(1, 2)
    outbox.acknowledge(held[1])
    packed = outbox.pack()
    assert set(held) == {1, 2}
    outbox.sent(packed, [1])
    assert set(held) == {2}
    assert not outbox
    assert outbox.delivered == 1


def test_after_a_broken_exchange_everything_is_sent_again_first():
    outbox, held = _outbox(1, 2)
    outbox.acknowledge(held[1])
    outbox.pack()
    outbox.not_sent()
    outbox.acknowledge(held[2])
    again = outbox.pack()
    assert [_tokens(parcel) for parcel in again] == [[1], [2]]
    assert [parcel.sent_before for parcel in again] == [True, False]


def test_what_redis_refused_stays():
    outbox, held = _outbox(1, 2)
    outbox.settle(held[1], command("X"))
    outbox.settle(held[2], command("Y"))
    refusal = RuntimeError("READONLY")
    assert outbox.sent(outbox.pack(), [refusal, 1]) == [refusal]
    assert set(held) == {1}
    assert [_tokens(parcel) for parcel in outbox.pack()] == [[1]]


def test_a_lost_lease_is_told_once(caplog):
    outbox, held = _outbox(1)
    outbox.acknowledge(held[1])
    outbox.sent(outbox.pack(), [0])
    assert "Lease lost" in caplog.text
    assert not outbox


def test_a_zero_for_what_was_sent_before_is_no_lost_lease(caplog):
    outbox, held = _outbox(1)
    outbox.acknowledge(held[1])
    outbox.pack()
    outbox.not_sent()
    outbox.sent(outbox.pack(), [0])
    assert caplog.text == ""


def test_a_lease_is_sent_before_what_is_decided_about_its_job():
    outbox, held = _outbox(1)
    outbox.enclose(command("ADOPT"))
    outbox.acknowledge(held[1])
    first, second = outbox.pack()
    assert (first.op.args, _tokens(second)) == (("ADOPT",), [1])
