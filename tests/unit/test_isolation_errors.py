"""Errors carried from a child to the worker: class, message, attributes, causes and stack (F066)."""

from __future__ import annotations

import pickle
import threading
import traceback

import pytest
from sentinel_error import SentinelError

from pillion.errors import ChildError, ConfigError, HardTimeout, Interrupted, Postponed, QueueFull, Shutdown
from pillion.server.isolation.carried import MAX_CHAIN, MAX_FRAMES, pack, unpack
from pillion.wire.failure import cause_chain, error_class, error_message, is_shutdown


def raised(error, cause=None):
    try:
        raise error from cause
    except BaseException as exc:
        return exc


def carried(error):
    return unpack(pack(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("key"),
        FileNotFoundError(2, "No such file", "/nowhere"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        SystemExit(3),
        KeyboardInterrupt(),
        StopIteration(7),
        ExceptionGroup("several", [ValueError(1), KeyError("k")]),
        Shutdown(),
        Interrupted("later"),
        Postponed(30, "too early"),
        HardTimeout(5),
        QueueFull("q", 1, 2),
        ConfigError("option", "this", 1),
        ValueError("ünï \udc80 \0"),
        ValueError(),
        ValueError(*range(100)),
    ],
    ids=repr,
)
def test_an_error_comes_as_it_was(error):
    back = carried(raised(error))
    assert type(back) is type(error)
    assert error_message(back) == error_message(error)
    assert repr(back) == repr(error)
    assert error_class(back) == error_class(error)
    assert {name: str(value) for name, value in vars(back).items()} == {
        name: str(value) for name, value in vars(error).items()
    }


def test_an_error_that_does_not_pickle_keeps_class_message_and_what_does():
    back = carried(raised(SentinelError("no", 7)))
    assert isinstance(back, SentinelError)
    assert (str(back), back.args, back.retry_after_s) == ("no, again in 7 s", ("no",), 7)
    assert not hasattr(back, "lock")


class NeedsItsLock(Exception):
    """Its message needs what cannot be sent."""

    def __init__(self):
        self.lock = threading.Lock()

    def __str__(self):
        return f"locked: {self.lock.locked()}"


def test_a_message_that_needs_what_cannot_be_sent_is_that_of_the_child_all_the_same():
    back = carried(raised(NeedsItsLock()))
    assert isinstance(back, NeedsItsLock)
    assert str(back) == "locked: False"
    assert error_class(back) == error_class(NeedsItsLock())


def test_a_class_that_cannot_be_imported_is_stood_in_for_under_its_name():
    class Local(Exception):
        pass

    back = carried(raised(Local("hm")))
    assert isinstance(back, ChildError)
    assert not isinstance(back, Local)
    assert error_class(back) == error_class(Local())
    assert str(back) == "hm"


class Hostile(Exception):
    """Fails at whatever is asked of it."""

    def __str__(self):
        raise RuntimeError("str")

    def __repr__(self):
        raise RuntimeError("repr")

    def __reduce__(self):
        raise RuntimeError("reduce")


def test_an_error_that_fails_when_it_is_looked_at_is_carried_nevertheless():
    back = carried(raised(Hostile(Hostile())))
    assert isinstance(back, Hostile)


def test_a_huge_error_is_cut():
    packed = pack(raised(ValueError("x" * 50_000_000)))
    assert len(packed) < 2_000_000
    assert str(unpack(packed)).startswith("xxx")


def test_causes_and_contexts_come_along():
    try:
        try:
            try:
                {}["first"]
            except KeyError:
                raise OSError(5, "second")
        except OSError as exc:
            raise SentinelError("third", 1) from exc
    except SentinelError as exc:
        back = carried(exc)
    assert [type(each) for each in cause_chain(back)][1:] == [OSError, KeyError]
    assert back.__suppress_context__
    hidden = carried(raised(ValueError("shown"), None))
    assert hidden.__suppress_context__


def test_a_shutdown_behind_an_error_is_still_seen():
    assert is_shutdown(carried(raised(ValueError("wrapped"), raised(Shutdown()))))


def test_errors_that_cause_each_other_come_to_an_end():
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    back = carried(one)
    assert back.__cause__.__cause__ is back
    chain = ValueError(0)
    for number in range(1, 3 * MAX_CHAIN):
        chain = raised(ValueError(number), chain)
    assert len(list(cause_chain(carried(chain)))) == MAX_CHAIN


def places(error):
    stack = traceback.extract_tb(error.__traceback__)
    return [(frame.filename, frame.lineno, frame.name, frame.line) for frame in stack]


def deep(levels):
    if levels == 0:
        raise ValueError("bottom")
    deep(levels - 1)


def test_the_stack_has_files_lines_and_functions():
    try:
        deep(3)
    except ValueError as exc:
        wanted = [
            (frame.filename, frame.lineno, frame.name, frame.line) for frame in traceback.extract_tb(exc.__traceback__)
        ]
        back = carried(exc)
    stack = traceback.extract_tb(back.__traceback__)
    assert [(frame.filename, frame.lineno, frame.name, frame.line) for frame in stack] == wanted
    text = "".join(traceback.format_exception(back))
    assert text.count("in deep") == 4
    assert "^^^" not in text


def test_the_middle_of_a_very_long_stack_is_left_out():
    try:
        deep(400)
    except ValueError as exc:
        back = carried(exc)
    assert len(traceback.extract_tb(back.__traceback__)) == MAX_FRAMES


def test_notes_come_along():
    error = ValueError("x")
    error.add_note("remember")
    assert carried(raised(error)).__notes__ == ["remember"]


def test_a_carried_error_can_be_raised_and_carried_again():
    again = carried(raised(carried(raised(SentinelError("no", 7)))))
    assert isinstance(again, SentinelError)
    assert pickle.dumps(str(again)) == pickle.dumps("no, again in 7 s")
