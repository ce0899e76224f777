"""`timeout_s`: who may have it, and what counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from own_home import OwnHome

from pillion.definition.time_limit import timeout_s
from pillion.errors import ConfigError


def test_an_async_job_has_its_time_limit_in_each_payload() -> None:
    home = OwnHome()

    class Fetch(home.Job, timeout_s=timedelta(minutes=1)):
        async def perform(self) -> None: ...

    Fetch.perform_async()
    Fetch.set(timeout_s=2.5).perform_async()
    assert [payload["timeout_s"] for payload in home.sent.pushed] == [60.0, 2.5]


@pytest.mark.parametrize("seconds", [0, -1, "5", True, float("nan"), float("inf"), 2e9])
def test_a_time_limit_is_a_number_of_seconds(seconds: object) -> None:
    with pytest.raises(ConfigError, match="a number of seconds above 0"):
        OwnHome().job(timeout_s=seconds)(_async)


async def _async() -> None: ...


def _sync() -> None: ...


def test_a_sync_job_cannot_have_one_and_the_error_says_what_can() -> None:
    home = OwnHome()

    class Plain(home.Job):
        def perform(self) -> None: ...

    for wrong in (
        lambda: type("Late", (home.Job,), {"perform": lambda self: None}, timeout_s=5),
        lambda: home.job(timeout_s=5)(_sync),
        lambda: Plain.configure(timeout_s=5),
        lambda: Plain.set(timeout_s=5),
    ):
        with pytest.raises(ConfigError, match=r'async def.*execution="process", hard_timeout_s=5') as error:
            wrong()
        assert error.value.option == "timeout_s"
    assert home.jobs.names() == [Plain.__job__.wire_name]
    assert "timeout_s" not in Plain.__job__.options


def test_a_sync_job_in_a_process_of_its_own_is_told_of_the_hard_one() -> None:
    with pytest.raises(ConfigError, match="hard_timeout_s=5, after which"):
        OwnHome().job(timeout_s=5, execution="process")(_sync)


def test_a_base_class_may_have_one_for_async_jobs_only() -> None:
    home = OwnHome()

    class Base(home.Job, abstract=True, timeout_s=30): ...

    class Fetch(Base):
        async def perform(self) -> None: ...

    assert Fetch.__job__.options["timeout_s"] == 30
    with pytest.raises(ConfigError, match="async def"):

        class Plain(Base):
            def perform(self) -> None: ...


@pytest.mark.parametrize(
    ("in_payload", "expected"), [(None, 30.0), (5, 5.0), (0.5, 0.5), ("soon", None), (-1, None), (True, None)]
)
def test_the_payload_goes_before_the_job_and_nonsense_limits_nothing(
    in_payload: object, expected: float | None
) -> None:
    made = OwnHome().job(timeout_s=30)(_async)
    assert timeout_s(made.__job__, {"timeout_s": in_payload}) == expected


def test_what_runs_in_a_thread_is_known_in_advance() -> None:
    home = OwnHome()

    class Base(home.Job, abstract=True): ...

    class Plain(Base):
        def perform(self) -> None: ...

    class Own(Base, queue="own"):
        def perform(self) -> None: ...

    class Fetch(Base):
        async def perform(self) -> None: ...

    known = {each.__name__: each.__job__.runs_in_thread for each in (Plain, Own, Fetch)}
    assert known == {"Plain": True, "Own": True, "Fetch": False}
    Base.configure(execution="process")  # a subclass with options of its own does not follow
    assert [each.__job__.runs_in_thread for each in (Plain, Own)] == [False, True]
