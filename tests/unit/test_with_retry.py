"""with_retry: which errors are tried again, how long it waits, and what comes out in the end (F101, F102)."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pillion import with_retry
from pillion.errors import ConfigError, Shutdown
from pillion.jobs import retrying


class NetworkError(Exception): ...


class ReadTimeout(NetworkError): ...


class BusinessLogicError(Exception): ...


class Rig:
    """`work` fails as often as `errors` has errors, then returns its argument. `slept` are the waits."""

    def __init__(self, kind, *errors, **options):
        self.errors, self.slept, self.calls = list(errors), [], 0
        self.kind = kind
        sleep = self.sleep_async if kind == "async" else self.slept.append
        options = {"on": NetworkError, "sleep": sleep, **options}
        self.work = with_retry(**options)(self.perform_async if kind == "async" else self.perform)

    async def sleep_async(self, seconds):
        self.slept.append(seconds)

    def perform(self, value):
        """Do it."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return value

    async def perform_async(self, value):
        await asyncio.sleep(0)
        return self.perform(value)

    def run(self):
        return asyncio.run(self.work("done")) if self.kind == "async" else self.work("done")


@pytest.mark.parametrize("kind", ["sync", "async"])
class TestTries:
    def test_what_works_at_once_does_not_wait(self, kind):
        rig = Rig(kind)
        assert (rig.run(), rig.slept, rig.calls) == ("done", [], 1)

    def test_it_waits_2_4_and_8_seconds(self, kind):
        rig = Rig(kind, NetworkError(), ReadTimeout(), NetworkError())
        assert (rig.run(), rig.slept, rig.calls) == ("done", [2, 4, 8], 4)

    def test_what_the_fourth_try_raises_comes_out(self, kind):
        last = ReadTimeout("the fourth")
        rig = Rig(kind, NetworkError(), NetworkError(), NetworkError(), last)
        with pytest.raises(ReadTimeout) as caught:
            rig.run()
        assert (caught.value, rig.slept, rig.calls) == (last, [2, 4, 8], 4)

    def test_any_other_error_comes_out_at_once(self, kind):
        rig = Rig(kind, BusinessLogicError())
        with pytest.raises(BusinessLogicError):
            rig.run()
        assert (rig.slept, rig.calls) == ([], 1)

    def test_also_after_tries(self, kind):
        rig = Rig(kind, NetworkError(), BusinessLogicError())
        with pytest.raises(BusinessLogicError):
            rig.run()
        assert rig.slept == [2]

    def test_give_up_is_asked_instead_of_raising(self, kind):
        told = []
        rig = Rig(
            kind, NetworkError(), NetworkError("last"), times=1, give_up=lambda exc: told.append(exc) or "given up"
        )
        assert rig.run() == "given up"
        assert [str(exc) for exc in told] == ["last"]

    def test_give_up_is_not_asked_about_other_errors(self, kind):
        rig = Rig(kind, BusinessLogicError(), give_up=lambda exc: "given up")
        with pytest.raises(BusinessLogicError):
            rig.run()

    def test_times_and_base(self, kind):
        rig = Rig(kind, NetworkError(), NetworkError(), times=2, base=3)
        assert (rig.run(), rig.slept) == ("done", [3, 9])

    def test_times_0_is_one_try(self, kind):
        rig = Rig(kind, NetworkError(), times=0)
        with pytest.raises(NetworkError):
            rig.run()
        assert rig.calls == 1

    @pytest.mark.parametrize("on", ["NetworkError", (KeyError, NetworkError), [f"{__name__}.NetworkError"]])
    def test_errors_by_name(self, kind, on):
        rig = Rig(kind, ReadTimeout(), on=on)
        assert (rig.run(), rig.slept) == ("done", [2])

    def test_a_shutdown_is_never_tried_again(self, kind):
        rig = Rig(kind, Shutdown(), on=BaseException)
        with pytest.raises(Shutdown):
            rig.run()
        assert rig.slept == []

    def test_it_says_that_it_tries_again(self, kind, caplog):
        with caplog.at_level(logging.INFO, "pillion"):
            Rig(kind, NetworkError("no route")).run()
        assert caplog.messages[0].endswith("failed, try 1 of 4, again in 2 s: no route")


def test_an_async_give_up_is_awaited():
    async def give_up(exc):
        await asyncio.sleep(0)
        return "given up"

    assert Rig("async", NetworkError(), times=0, give_up=give_up).run() == "given up"


def test_the_function_keeps_its_name():
    rig = Rig("sync")
    assert (rig.work.__name__, rig.work.__doc__) == ("perform", "Do it.")


def test_a_thread_sleeps_in_short_slices_so_that_a_shutdown_gets_in(monkeypatch):
    now_s, slices = [100.0], []

    def sleep(seconds):
        slices.append(seconds)
        now_s[0] += seconds

    monkeypatch.setattr(retrying.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(retrying.time, "sleep", sleep)
    Rig("sync", NetworkError(), sleep=None).run()
    assert max(slices) <= retrying.SLICE_S
    assert sum(slices) == pytest.approx(2)


def test_an_async_function_waits_on_its_loop():
    assert Rig("async", NetworkError(), NetworkError(), base=0, sleep=None).run() == "done"


@pytest.mark.parametrize(
    "options",
    [{"times": -1}, {"times": True}, {"times": 1.5}, {"base": -1}, {"base": "2"}, {"on": 5}, {"on": [object]}],
)
def test_what_cannot_be_right_is_refused_when_it_is_made(options):
    with pytest.raises(ConfigError):
        with_retry(**{"on": NetworkError, **options})
