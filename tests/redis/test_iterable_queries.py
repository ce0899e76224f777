"""Database queries by primary key, on real SQLite files: SQLAlchemy and Django, alone and in a worker (F140, F141)."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from datetime import date, datetime
from uuid import UUID

import pytest
from engine import until
from iterable_orm import ALIAS, Customer, Letter, Parcel, Seat, User, close_django, django_sqlite, sqlite
from iterable_scene import Gate, IterableScene
from sqlalchemy import Column, Date, DateTime, Float, MetaData, Table, delete, event, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, aliased, sessionmaker

from pillion.errors import ConfigError
from pillion.iterable import batches, each_batch, find_each, records, relations
from pillion.iterable.queries import pages_of

IDS = [n * 10 for n in range(1, 26)]


@pytest.fixture
def engine(tmp_path):
    made = sqlite(tmp_path / "alchemy.sqlite", 25)
    yield made
    made.dispose()


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


@pytest.fixture
def customers(tmp_path):
    django_sqlite(tmp_path / "django.sqlite", 25)
    yield Customer.objects.using(ALIAS)
    close_django()


@pytest.fixture(params=["sqlalchemy", "django"])
def source(request):
    """(query, keywords, id of a record, ids of a relation) of either library, over 25 records."""
    if request.param == "django":
        query = request.getfixturevalue("customers")
        return query, {}, lambda one: one.pk, lambda found: [one.pk for one in found]
    session = request.getfixturevalue("session")
    return (
        select(User),
        {"session": session},
        lambda one: one.user_id,
        lambda found: [one.user_id for one in session.scalars(found)],
    )


# -- both libraries ----------------------------------------------------------------------------------------


def test_records_in_the_order_of_their_key_and_from_each_cursor_on(source):
    query, more, key, _ = source
    pairs = [(key(one), cursor) for one, cursor in records(query, None, size=10, **more)]
    assert pairs == [(n, n) for n in IDS]
    for index, cursor in enumerate(IDS):
        again = records(query, json.loads(json.dumps(cursor)), size=10, **more)
        assert [key(one) for one, _ in again] == IDS[index:]
    assert records(query, 100, **more).size() == 25


def test_a_cursor_whose_record_is_gone_goes_on_with_the_next(source):
    query, more, key, _ = source
    assert [key(one) for one, _ in records(query, 55, **more)] == IDS[5:]


def test_batches_begin_anew_with_their_first_record(source):
    query, more, key, _ = source
    found = [([key(one) for one in batch], cursor) for batch, cursor in batches(query, None, 10, **more)]
    assert found == [(IDS[:10], 10), (IDS[10:20], 110), (IDS[20:], 210)]
    again = [[key(one) for one in batch] for batch, _ in batches(query, 110, 10, **more)]
    assert again == [IDS[10:20], IDS[20:]]
    assert batches(query, None, 10, **more).size() == 3


def test_relations_are_queries_for_each_batch(source):
    query, more, _, ids = source
    found = [(ids(relation), cursor) for relation, cursor in relations(query, None, 10, **more)]
    assert found == [(IDS[:10], 10), (IDS[10:20], 110), (IDS[20:], 210)]
    assert [ids(relation) for relation, _ in relations(query, 210, 10, **more)] == [IDS[20:]]
    assert relations(query, None, 10, **more).size() == 3


def test_find_each_and_each_batch_need_no_cursor(source, monkeypatch):
    query, more, key, _ = source
    collected = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(True))
    assert [key(one) for one in find_each(query, 7, gc_every=10, **more)] == IDS
    assert len(collected) == 2
    assert [len(batch) for batch in each_batch(query, 10, **more)] == [10, 10, 5]


@pytest.mark.parametrize("make", [records, batches, relations])
def test_an_empty_query_has_nothing(source, make, customers):
    query, more, _, _ = source
    nothing = query.where(User.name == "x") if more else query.filter(name="x")
    assert list(make(nothing, None, **more)) == []
    assert make(nothing, None, **more).size() == 0


@pytest.mark.parametrize("make", [records, batches, relations, find_each])
def test_other_things_are_no_query(make):
    with pytest.raises(ConfigError, match=r"query: expected a Django QuerySet or a SQLAlchemy select\(\)"):
        make([1, 2], None) if make is not find_each else make([1, 2])


# -- SQLAlchemy --------------------------------------------------------------------------------------------


class TestSqlAlchemy:
    def test_each_page_is_one_query_that_begins_behind_the_last(self, engine, session):
        statements = []
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
        assert len(list(records(select(User), None, session=session, size=10))) == 25
        assert len(statements) == 4
        assert "users.id > ?" in statements[1][0]
        assert statements[1][1][0] == 100
        assert all("OFFSET" not in text or parameters[-1] == 0 for text, parameters in statements)

    def test_records_may_be_deleted_and_committed_meanwhile(self, session):
        seen = []
        for user, _ in records(select(User), None, session=session, size=10):
            seen.append(user.user_id)
            session.delete(user)
            session.commit()
        assert seen == IDS
        assert session.scalar(select(func.count()).select_from(User)) == 0

    def test_filters_joins_and_aliases_stay(self, session):
        twin = aliased(User)
        found = records(select(twin).where(twin.name.like("%2%")).order_by(twin.name), None, session=session)
        assert [one.user_id for one, _ in found] == [20, 120, 200, 210, 220, 230, 240, 250]

    def test_rows_with_their_key(self, session, engine):
        rows = [(tuple(row), cursor) for row, cursor in records(select(User.user_id, User.name), 240, session=session)]
        assert rows == [((240, "user 24"), 240), ((250, "user 25"), 250)]
        table = User.__table__
        with engine.connect() as connection:
            found = records(select(table), 240, session=connection)
            assert [row.name for row, _ in found] == ["user 24", "user 25"]

    def test_keys_that_are_uuids(self, session):
        session.add_all(Letter(key=UUID(int=n)) for n in range(1, 6))
        session.commit()
        pairs = list(records(select(Letter), None, session=session, size=2))
        assert [cursor for _, cursor in pairs] == [str(UUID(int=n)) for n in range(1, 6)]
        again = records(select(Letter), pairs[3][1], session=session)
        assert [letter.key.int for letter, _ in again] == [4, 5]

    def test_keys_that_are_moments_or_fractions(self, session):
        for kind, name, keys in (
            (DateTime, "moments", [datetime.fromisoformat(f"2026-11-0{n}T12:30:00.0005") for n in range(1, 6)]),
            (Date, "days", [date(2026, 11, n) for n in range(1, 6)]),
            (Float, "fractions", [n / 2 for n in range(1, 6)]),
        ):
            table = Table(name, MetaData(), Column("key", kind, primary_key=True))
            table.create(session.connection())
            session.execute(table.insert(), [{"key": key} for key in keys])
            pairs = list(records(select(table), None, session=session, size=2))
            assert pages_of(select(table), session).key_of(pairs[3][1]) == keys[3]  # a text is none to Postgres
            again = records(select(table), json.loads(json.dumps(pairs[3][1])), session=session)
            assert [row.key for row, _ in again] == keys[3:]

    def test_relations_are_there_to_be_updated(self, session):
        for found, _ in relations(select(User.user_id).where(User.user_id > 100), None, 10, session=session):
            session.execute(
                update(User).where(User.user_id.in_(found.with_only_columns(User.user_id))).values(sent=True)
            )
        assert session.scalar(select(func.count()).where(User.sent)) == 15

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            (select(User).limit(5), "a select without limit and offset"),
            (select(User).offset(5), "a select without limit and offset"),
            (select(Seat), "one column as the primary key of .*, got 'row, place'"),
            (select(User.name), "its primary key 'user_id' among its columns"),
            (select(func.count()), "one column as the primary key of None"),
        ],
    )
    def test_what_cannot_be_paged_is_refused(self, session, query, message):
        with pytest.raises(ConfigError, match=message):
            records(query, None, session=session)

    def test_a_session_is_needed(self):
        with pytest.raises(ConfigError, match="session: expected the Session or Connection to read with, got None"):
            records(select(User), None)

    def test_a_delete_is_no_select(self, session):
        with pytest.raises(ConfigError, match="query: expected"):
            records(delete(User), None, session=session)


# -- Django ------------------------------------------------------------------------------------------------


class TestDjango:
    def test_a_manager_will_do_and_filters_stay(self, customers):
        found = records(Customer.objects.db_manager(ALIAS), None)
        assert len(list(found)) == 25
        found = records(customers.filter(name__contains="2").order_by("name"), None)
        assert [one.pk for one, _ in found] == [20, 120, 200, 210, 220, 230, 240, 250]

    def test_records_may_be_deleted_meanwhile(self, customers):
        seen = []
        for one, _ in records(customers, None, size=10):
            seen.append(one.pk)
            customers.filter(pk=one.pk).delete()
        assert seen == IDS

    def test_relations_are_there_to_be_updated(self, customers):
        for found, _ in relations(customers.filter(pk__gt=100), None, 10):
            found.update(sent=True)
        assert customers.filter(sent=True).count() == 15

    def test_keys_that_are_uuids(self, customers):
        Parcel.objects.using(ALIAS).bulk_create(Parcel(key=UUID(int=n)) for n in range(1, 6))
        pairs = list(records(Parcel.objects.using(ALIAS), None, size=2))
        assert [cursor for _, cursor in pairs] == [str(UUID(int=n)) for n in range(1, 6)]
        assert [one.key.int for one, _ in records(Parcel.objects.using(ALIAS), pairs[3][1])] == [4, 5]

    def test_what_cannot_be_paged_is_refused(self, customers):
        with pytest.raises(ConfigError, match="a QuerySet that is not sliced"):
            records(customers[:5], None)
        with pytest.raises(ConfigError, match="a QuerySet of model instances"):
            records(customers.values("name"), None)


# -- in a worker ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["sqlalchemy", "django"])
def test_a_job_over_a_table_is_interrupted_and_gone_on_with(storage, redis_url, raw, engine, customers, library):
    gate = Gate()
    with IterableScene(storage, redis_url) as scene:
        open_session = sessionmaker(engine, expire_on_commit=False)

        class Send(scene.Iterable):
            def build_enumerator(self, *, cursor):
                if library == "django":
                    return records(customers, cursor, size=4)
                self.session = open_session()
                return records(select(User), cursor, session=self.session, size=4)

            def each_iteration(self, person):
                if person.name == "user 6":
                    gate.wait()
                person.sent = True
                if library == "django":
                    person.save(using=ALIAS)
                else:
                    self.session.commit()
                scene.note(person.pk if library == "django" else person.user_id)

            def on_stop(self):
                if library == "sqlalchemy":
                    self.session.close()
                else:
                    from django.db import connections

                    connections[ALIAS].close()

        jid = Send.perform_async()
        scene.start()
        gate.meet(scene.quiet)
        scene.stop()
        assert raw.hget(f"it-{jid}", "c") == b"70"
        scene.start()
        until(scene.is_done)
        scene.stop()
    assert scene.notes == IDS


class TestAsync:
    """The same on an event loop: `.aio`."""

    @pytest.fixture(params=["sqlalchemy", "django"])
    def make(self, request, engine, customers):
        """Calls an enumerator on 25 records and gathers what it yields, as keys; and its size."""

        async def gather(enumerator, cursor, size):
            if request.param == "django":
                found = enumerator.aio(customers, cursor, size)
                return [([one.pk for one in self.listed(item)], at) async for item, at in found], await found.size()
            async_engine = create_async_engine(str(engine.url).replace("sqlite", "sqlite+aiosqlite", 1))
            try:
                async with AsyncSession(async_engine) as session:
                    found = enumerator.aio(select(User), cursor, size, session=session)
                    pairs = [([one.user_id for one in self.listed(item)], at) async for item, at in found]
                    return pairs, await found.size()
            finally:
                await async_engine.dispose()

        return lambda *args: asyncio.run(gather(*args))

    def listed(self, item):
        return item if isinstance(item, list) else [item]

    def test_records(self, make):
        assert make(records, None, 10) == ([([n], n) for n in IDS], 25)
        assert make(records, 55, 10) == ([([n], n) for n in IDS[5:]], 25)

    def test_batches(self, make):
        assert make(batches, 110, 10) == ([(IDS[10:20], 110), (IDS[20:], 210)], 3)

    def test_a_session_of_the_other_kind_is_refused(self, session, engine):
        with pytest.raises(ConfigError, match="expected the AsyncSession or AsyncConnection"):
            records.aio(select(User), None, session=session)
        with pytest.raises(ConfigError, match=r"An AsyncSession is for `.aio\(...\)` in an async job"):
            records(select(User), None, session=AsyncSession())
        with pytest.raises(ConfigError, match="query: expected"):
            records.aio([1, 2], None)

    def test_an_async_job_over_a_table(self, storage, redis_url, raw, engine):
        gate = Gate()
        with IterableScene(storage, redis_url) as scene:

            class Send(scene.Iterable):
                async def build_enumerator(self, *, cursor):
                    self.engine = create_async_engine(str(engine.url).replace("sqlite", "sqlite+aiosqlite", 1))
                    self.session = AsyncSession(self.engine, expire_on_commit=False)
                    return records.aio(select(User), cursor, 4, session=self.session)

                async def each_iteration(self, user):
                    if user.name == "user 6":
                        gate.wait()
                    user.sent = True
                    await self.session.commit()
                    scene.note(user.user_id)

                async def on_stop(self):
                    await self.session.close()
                    await self.engine.dispose()

            jid = Send.perform_async()
            scene.start()
            gate.meet(scene.quiet)
            scene.stop()
            assert raw.hget(f"it-{jid}", "c") == b"70"
            scene.start()
            until(scene.is_done)
            scene.stop()
        assert scene.notes == IDS


MILLION = """
import os, sys
from pathlib import Path
sys.path.insert(0, {support!r})
from iterable_orm import User, sqlite
from sqlalchemy import select
from sqlalchemy.orm import Session
from pillion import IterableJob
from pillion.iterable import records

class Count(IterableJob):
    seen, sizes = 0, []
    def build_enumerator(self, *, cursor):
        return records(select(User), cursor, session=self.session)
    def each_iteration(self, user):
        if Count.seen % 1000 == 0:
            Count.sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024)
        Count.seen += 1
engine = sqlite(Path({path!r}), {rows})
with Session(engine) as session:
    Count.session = session
    Count().perform()
print(Count.seen, max(Count.sizes) - Count.sizes[0])
"""


def test_memory_does_not_grow_with_the_table(tmp_path):
    """100,000 rows here; with a million, by hand, it is the same: docs/guides/iterable.md has the figures."""
    support = next(path for path in sys.path if path.endswith("support"))
    code = MILLION.format(support=support, path=str(tmp_path / "rows.sqlite"), rows=100_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen, grown_kb = map(int, done.stdout.split())
    assert seen == 100_000
    assert grown_kb < 50_000


def test_neither_library_is_loaded_unless_it_is_used():
    code = (
        "import pillion.iterable, sys; print([name for name in sys.modules if 'django' in name or 'sqlalch' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
