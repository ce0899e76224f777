"""The job option transactional_push, and the guard over pushes while a transaction is open."""

import asyncio
import sys
from pathlib import Path

import pytest
from transaction_memory import Memory, inside, numbers, three_jobs, watched

from pillion.errors import ConfigError, EnqueuedInTransaction
from pillion.settings.sources import load_config


@pytest.fixture
def here():
    return three_jobs()


class TestTheJobOption:
    def test_the_job_waits_for_what_is_open_here(self, here):
        transaction = watched(here, Memory())
        here.Waiting.perform_async(1)
        here.Plain.perform_async(2)
        assert numbers(here.sent) == [2]
        transaction.commit()
        assert numbers(here.sent) == [2, 1]

    def test_it_waits_for_all_that_are_open_and_for_the_block(self, here):
        first, second, third = Memory(), Memory(), Memory()
        watched(here, first, second)
        with inside(third, second):
            here.Waiting.perform_async(1)
        for transaction in (first, second):
            transaction.commit()
            assert here.sent.pushed == []
        third.commit()
        assert numbers(here.sent) == [1]

    def test_nothing_is_open(self, here):
        here.settings.transactions.append(lambda: ())
        here.Waiting.perform_async(1)
        assert numbers(here.sent) == [1]

    def test_for_one_push_and_for_all_jobs(self, here):
        transaction = watched(here, Memory())
        here.Plain.set(transactional_push=True).perform_async(1)
        here.settings.default_job_options = {"transactional_push": True}
        here.Plain.perform_async(2)
        here.client().push({"class": "A", "args": [3]})
        here.Never.perform_async(4)
        assert numbers(here.sent) == [4]
        transaction.commit()
        assert numbers(here.sent) == [4, 1, 2, 3]

    def test_of_jobs_pushed_together_those_wait_that_say_so(self, here):
        transaction = watched(here, Memory())
        jids = here.client().push_many([(here.Plain, [1]), (here.Waiting, [2]), (here.Waiting, [3]), (here.Plain, [4])])
        assert (jids, numbers(here.sent)) == (["j1", "j2", "j3", "j4"], [1, 4])
        transaction.commit()
        assert numbers(here.sent) == [1, 4, 2, 3]

    def test_it_is_true_or_false(self, here):
        with pytest.raises(ConfigError, match="transactional_push: expected True or False, got 'yes'"):
            here.Plain.set(transactional_push="yes")

    def test_where_nobody_watches_the_library_in_use_the_push_says_what_to_do(self, here, monkeypatch):
        monkeypatch.setitem(sys.modules, "sqlalchemy.orm", sys)
        for push in (here.Waiting.perform_async, lambda n: here.Waiting.perform_bulk([[n]])):
            with pytest.raises(ConfigError, match=r"Call pillion\.contrib\.sqlalchemy\.watch\(\)"):
                push(1)
        assert here.sent.trips == []

    def test_where_no_database_library_is_loaded_there_is_nothing_to_wait_for(self, here, monkeypatch):
        for library in ("sqlalchemy.orm", "django.db"):
            monkeypatch.delitem(sys.modules, library, raising=False)
        here.Waiting.perform_async(1)
        assert numbers(here.sent) == [1]


class TestTheGuard:
    def test_raise_names_the_line_that_pushes(self, here):
        here.settings.on_enqueue_in_transaction = "raise"
        watched(here, Memory("the session"))
        with pytest.raises(EnqueuedInTransaction) as raised:
            here.Plain.perform_async(1)
        line = raised.traceback[0].lineno + 1
        assert raised.value.place == f"{Path(__file__)}:{line}"
        assert str(raised.value).startswith(f"{Path(__file__)}:{line}: a job is pushed while the session is open.")
        assert here.sent.trips == []

    def test_raise_names_the_line_that_awaits_a_push(self, here):
        here.settings.on_enqueue_in_transaction = "raise"
        watched(here, Memory())

        async def main():
            await here.Plain.perform_async.aio(1)

        with pytest.raises(EnqueuedInTransaction) as raised:
            asyncio.run(main())
        assert raised.value.place == f"{Path(__file__)}:{main.__code__.co_firstlineno + 1}"

    def test_warn_pushes_and_writes_a_line(self, here, caplog):
        here.settings.on_enqueue_in_transaction = "warn"
        watched(here, Memory("the session"))
        here.Plain.perform_bulk([[1], [2]])
        assert numbers(here.sent) == [1, 2]
        (record,) = caplog.records
        assert (record.levelname, "the session is open" in record.getMessage()) == ("WARNING", True)

    def test_defer_has_every_push_wait(self, here):
        here.settings.on_enqueue_in_transaction = "defer"
        transaction = watched(here, Memory())
        here.Plain.perform_async(1)
        here.Never.perform_async(2)
        assert numbers(here.sent) == [2]
        transaction.commit()
        assert numbers(here.sent) == [2, 1]

    @pytest.mark.parametrize("guard", ["warn", "raise", "defer"])
    def test_it_says_nothing_where_nothing_is_open_or_the_push_waits_or_is_meant(self, here, guard, caplog):
        here.settings.on_enqueue_in_transaction = guard
        closed = watched(here, Memory(is_open=False))
        here.Plain.perform_async(1)
        closed.is_open = True
        here.Waiting.perform_async(2)
        here.Never.perform_async(3)
        with inside(Memory()):
            here.Plain.perform_async(4)
        assert (numbers(here.sent), caplog.records) == ([1, 3], [])

    def test_where_nobody_watches_it_says_so(self, here, monkeypatch):
        monkeypatch.setitem(sys.modules, "django.db", sys)
        here.settings.on_enqueue_in_transaction = "raise"
        with pytest.raises(ConfigError, match=r"on_enqueue_in_transaction: .* pillion\.contrib\.django\.watch\(\)"):
            here.Plain.perform_async(1)

    def test_its_value_is_checked(self, here):
        here.settings.on_enqueue_in_transaction = "shout"
        with pytest.raises(ConfigError, match='"warn", "raise", "defer" or None'):
            here.settings.validate()

    @pytest.mark.parametrize(("text", "value"), [("raise", "raise"), ("off", None), ("WARN", "warn")])
    def test_a_variable_sets_it(self, tmp_path, text, value):
        config = load_config({}, {"PILLION_ON_ENQUEUE_IN_TRANSACTION": text}, tmp_path).config
        assert config.on_enqueue_in_transaction == value

    def test_a_file_sets_it(self, tmp_path):
        (tmp_path / "pillion.toml").write_text('on_enqueue_in_transaction = "defer"')
        assert load_config({}, {}, tmp_path).config.on_enqueue_in_transaction == "defer"
        (tmp_path / "pillion.toml").write_text('on_enqueue_in_transaction = "maybe"')
        with pytest.raises(ConfigError, match="one of warn, raise, defer, off, got 'maybe'"):
            load_config({}, {}, tmp_path)
