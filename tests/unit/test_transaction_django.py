"""Pushes that wait for `transaction.atomic()` of Django, on real SQLite databases."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading

import pytest
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError
from django.test import TestCase, TransactionTestCase
from transaction_orm import ALIAS, Purchase, django_database, numbers, orders_home, sqlite_settings

import pillion
from pillion.contrib import django as watcher
from pillion.errors import ConfigError, EnqueuedInTransaction, InvalidJob, RedisError

OTHER = "stock"


@pytest.fixture(autouse=True)
def databases(tmp_path):
    with (
        django_database(sqlite_settings(tmp_path / "orders.db")),
        django_database(sqlite_settings(tmp_path / "stock.db"), OTHER),
    ):
        yield


@pytest.fixture
def here():
    home = orders_home()
    watcher.watch(home.settings)
    return home


def lost_atomic(using=ALIAS):
    """An atomic block that is rolled back at its end."""
    stack = contextlib.ExitStack()
    stack.enter_context(contextlib.suppress(ZeroDivisionError))
    stack.enter_context(transaction.atomic(using))
    stack.callback(lambda: 1 / 0)
    return stack


class TestAJobWithTheOption:
    def test_a_commit_pushes_and_the_jid_is_stored_in_the_same_transaction(self, here):
        with transaction.atomic(ALIAS):
            purchase = Purchase.objects.using(ALIAS).create()
            purchase.jid = here.Waiting.perform_async(purchase.pk)
            purchase.save()
            assert here.sent.trips == []
        (payload,) = here.sent.pushed
        assert Purchase.objects.using(ALIAS).get(pk=payload["args"][0]).jid == payload["jid"]

    def test_a_rollback_pushes_nothing(self, here):
        with lost_atomic():
            here.Waiting.perform_async(1)
        with transaction.atomic(ALIAS):
            pass
        assert here.sent.trips == []

    def test_outside_of_atomic_it_is_pushed_at_once(self, here):
        here.Waiting.perform_async(1)
        assert numbers(here.sent) == [1]

    def test_other_jobs_do_not_wait(self, here):
        with lost_atomic():
            here.Complete.perform_async(1)
        assert numbers(here.sent) == [1]

    def test_a_savepoint_that_is_rolled_back_takes_its_jobs_along_and_no_others(self, here):
        with transaction.atomic(ALIAS):
            here.Waiting.perform_async(1)
            with lost_atomic():
                here.Waiting.perform_async(2)
            with transaction.atomic(ALIAS):
                here.Waiting.perform_bulk([[3], [4]])
            assert here.sent.trips == []
            here.Waiting.perform_in(60, 5)
        assert numbers(here.sent) == [1, 3, 4, 5]

    def test_a_released_savepoint_is_lost_with_the_transaction(self, here):
        with lost_atomic(), transaction.atomic(ALIAS):
            here.Waiting.perform_async(1)
        assert here.sent.trips == []

    def test_an_atomic_block_without_a_savepoint(self, here):
        with transaction.atomic(ALIAS):
            with transaction.atomic(ALIAS, savepoint=False):
                here.Waiting.perform_async(1)
            assert here.sent.trips == []
        assert numbers(here.sent) == [1]

    def test_a_push_from_an_on_commit_hook_is_pushed_at_once(self, here):
        with transaction.atomic(ALIAS):
            transaction.on_commit(lambda: here.Waiting.perform_async(1), using=ALIAS)
        assert numbers(here.sent) == [1]

    def test_it_waits_for_every_database_that_is_in_a_transaction(self, here):
        with transaction.atomic(ALIAS):
            with transaction.atomic(OTHER):
                here.Waiting.perform_async(1)
            assert here.sent.trips == []
        assert numbers(here.sent) == [1]

    def test_a_rollback_of_one_of_two_databases_drops_it(self, here):
        with transaction.atomic(ALIAS), lost_atomic(OTHER):
            here.Waiting.perform_async(1)
        assert here.sent.trips == []

    def test_transactions_of_other_threads_do_not_count(self, here):
        with transaction.atomic(ALIAS):
            thread = threading.Thread(target=here.Waiting.perform_async, args=(1,))
            thread.start()
            thread.join()
            assert numbers(here.sent) == [1]

    def test_an_async_push_cannot_wait(self, here, monkeypatch):
        monkeypatch.setenv(
            "DJANGO_ALLOW_ASYNC_UNSAFE", "true"
        )  # as in a notebook: an event loop has its own connections

        async def main():
            try:
                with transaction.atomic(ALIAS):
                    await here.Waiting.perform_async.aio(1)
            finally:
                connections[ALIAS].close()

        with pytest.raises(InvalidJob, match=r"Expected a push without \.aio"):
            asyncio.run(main())

    def test_an_async_push_from_an_event_loop_without_a_transaction_is_pushed(self, here):
        asyncio.run(here.Waiting.perform_async.aio(1))
        assert numbers(here.sent_async) == [1]


class TestABlock:
    def test_pushes_wait_for_the_database_it_names(self, here):
        with transaction.atomic(ALIAS), transaction.atomic(OTHER), pillion.transaction(ALIAS):
            here.Complete.perform_async(1)
        assert numbers(here.sent) == [1]
        with transaction.atomic(ALIAS), lost_atomic(OTHER), pillion.transaction(ALIAS):
            here.Complete.perform_async(2)
        assert numbers(here.sent) == [1, 2]

    def test_around_atomic_it_counts_for_each(self, here):
        with pillion.transaction(ALIAS):
            here.Complete.perform_async(1)
            with lost_atomic():
                here.Complete.perform_async(2)
            with transaction.atomic(ALIAS):
                here.Complete.perform_async(3)
                assert numbers(here.sent) == [1]
        assert numbers(here.sent) == [1, 3]

    def test_an_alias_that_does_not_exist(self):
        with pytest.raises(ConfigError, match=r"one of the databases .*orders.*, got 'ordres'"):
            pillion.transaction("ordres")

    def test_commits_by_hand_cannot_be_waited_for(self, here):
        connection = connections[ALIAS]
        connection.set_autocommit(False)
        try:
            with pillion.transaction(ALIAS), pytest.raises(TransactionManagementError):
                here.Complete.perform_async(1)
            assert here.sent.trips == []
        finally:
            connection.rollback()
            connection.set_autocommit(True)


class TestAPushThatFailsAfterTheCommit:
    def test_the_error_comes_out_of_atomic_and_the_log_names_all_jobs_that_were_committed(self, here, caplog):
        here.sent.run_all = lambda ops: (_ for _ in ()).throw(RedisError("down"))
        with pytest.raises(RedisError), caplog.at_level(logging.ERROR, "pillion"), transaction.atomic(ALIAS):
            Purchase.objects.using(ALIAS).create(pk=1)
            here.Waiting.perform_async(1)
            with lost_atomic():
                here.Waiting.perform_async(2)
            here.Waiting.perform_async(3)
        assert Purchase.objects.using(ALIAS).filter(pk=1).exists()
        logged = " ".join(record.getMessage() for record in caplog.records)
        assert [jid for jid in ("j1", "j2", "j3") if f"Waiting {jid}" in logged] == ["j1", "j3"]


class TestTheGuard:
    def test_it_raises_inside_of_atomic_and_names_the_database_and_the_line(self, here):
        here.settings.on_enqueue_in_transaction = "raise"
        with transaction.atomic(ALIAS):
            with pytest.raises(EnqueuedInTransaction, match=r"test_transaction_django\.py:[0-9]+: .* 'orders' is open"):
                here.Complete.perform_async(1)
            here.Waiting.perform_async(2)
        here.Complete.perform_async(3)
        assert numbers(here.sent) == [2, 3]

    def test_defer_has_all_wait(self, here):
        here.settings.on_enqueue_in_transaction = "defer"
        with transaction.atomic(ALIAS):
            here.Complete.perform_async(1)
            assert here.sent.trips == []
        assert numbers(here.sent) == [1]


def run_django_test(case, body):
    """Run `body(test)` as a test of a Django TestCase class."""
    outcome = type("Case", (case,), {"databases": {ALIAS}, "test": body})("test").run()
    assert (outcome.errors, outcome.failures) == ([], [])


class TestInsideOfDjangosTestCases:
    """A TestCase is a transaction around each test: its own does not count, those of the application do."""

    def test_what_is_not_in_a_transaction_of_the_application_is_pushed_at_once(self, here):
        here.settings.on_enqueue_in_transaction = "raise"

        def body(test):
            here.Waiting.perform_async(1)
            here.Complete.perform_async(2)
            with pillion.transaction(ALIAS):
                here.Complete.perform_async(3)

        run_django_test(TestCase, body)
        assert numbers(here.sent) == [1, 2, 3]

    def test_what_is_in_one_is_pushed_by_what_django_has_for_that(self, here):
        def body(test):
            with test.captureOnCommitCallbacks(using=ALIAS, execute=True), transaction.atomic(ALIAS):
                here.Waiting.perform_async(1)
                with lost_atomic():
                    here.Waiting.perform_async(2)
                assert here.sent.trips == []

        run_django_test(TestCase, body)
        assert numbers(here.sent) == [1]

    def test_a_transaction_test_case_commits(self, here):
        def body(test):
            with transaction.atomic(ALIAS):
                here.Waiting.perform_async(1)

        TransactionTestCase.available_apps = None
        run_django_test(TransactionTestCase, body)
        assert numbers(here.sent) == [1]


INSTALLED = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["pillion.contrib.django"], DATABASES={})
django.setup()
from pillion import default
print([lookup.__module__ for lookup in default.config().transactions])
"""


def test_as_an_installed_app_it_watches_by_itself():
    done = subprocess.run([sys.executable, "-c", INSTALLED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['pillion.contrib.django.transactions']\n"


def test_without_django_an_alias_is_refused():
    code = "import pillion\ntry: pillion.transaction('default')\nexcept pillion.ConfigError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "got 'default'. That of Django is known once Django has been set up." in done.stdout
