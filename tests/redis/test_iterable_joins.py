"""Queries over joins, in which a primary key may come several times: no row is lost between two pages (F140)."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from iterable_orm import ALIAS, Customer, Letter, Parcel, User, close_django, django_sqlite, sqlite
from sqlalchemy import event, select
from sqlalchemy.orm import Session, aliased, contains_eager

from pillion.errors import ConfigError
from pillion.iterable import batches, each_batch, find_each, records, relations

# Five people with 1, 2, 3, 4 and 5 letters: with two or three rows to a page, pages end amid the letters of one.
OWNERS = [n * 10 for n in range(1, 6) for _ in range(n)]


@pytest.fixture
def session(tmp_path):
    engine = sqlite(tmp_path / "alchemy.sqlite", 5)
    with Session(engine) as opened:
        opened.add_all(Letter(key=UUID(int=n), user_id=owner) for n, owner in enumerate(OWNERS))
        opened.commit()
        yield opened
    engine.dispose()


@pytest.fixture
def customers(tmp_path):
    django_sqlite(tmp_path / "django.sqlite", 5)
    parcels = [Parcel(key=UUID(int=n), owner_id=owner) for n, owner in enumerate(OWNERS)]
    Parcel.objects.using(ALIAS).bulk_create(parcels)
    yield Customer.objects.using(ALIAS)
    close_django()


def rows_of_join():
    return select(User.user_id, Letter.key.label("letter")).join(Letter)


@pytest.fixture(params=["sqlalchemy", "django", "django extra"])
def joined(request):
    """(query, keywords, owner of a row) of either library, over people once for each letter."""
    if request.param == "django extra":
        parcels = Parcel._meta.db_table
        beside = {"tables": [parcels], "where": [f"{parcels}.owner_id = {Customer._meta.db_table}.id"]}
        return request.getfixturevalue("customers").extra(**beside), {}, lambda one: one.pk
    if request.param == "django":
        return request.getfixturevalue("customers").filter(parcel__isnull=False), {}, lambda one: one.pk
    return rows_of_join(), {"session": request.getfixturevalue("session")}, lambda row: row.user_id


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_batches_keep_the_rows_of_a_key_together(joined, size):
    query, more, owner = joined
    found = [[owner(row) for row in batch] for batch, _ in batches(query, None, size, **more)]
    assert [one for batch in found for one in batch] == OWNERS
    assert all(first[-1] != second[0] for first, second in pairwise(found))


def test_a_batch_begins_anew_with_all_rows_of_its_first_key(joined):
    query, more, owner = joined
    cursors = [cursor for _, cursor in batches(query, None, 2, **more)]
    again = [owner(row) for batch, _ in batches(query, cursors[1], 2, **more) for row in batch]
    assert again == [one for one in OWNERS if one >= cursors[1]]


def test_without_a_cursor_every_row_is_there(joined):
    query, more, owner = joined
    assert [owner(row) for row in find_each(query, 2, **more)] == OWNERS
    assert [owner(row) for batch in each_batch(query, 2, **more) for row in batch] == OWNERS


@pytest.mark.parametrize("size", [1, 2, 100])
def test_records_one_by_one_refuse_a_key_that_comes_again(joined, size):
    query, more, owner = joined
    seen = []
    with pytest.raises(ConfigError, match=r"query: expected each primary key once, got '20 several times'.*batches\("):
        seen += (owner(row) for row, _ in records(query, None, size, **more))
    assert 20 not in seen


def test_the_same_query_distinct_or_from_its_other_side_is_fine(session, customers):
    distinct = customers.filter(parcel__isnull=False).distinct()
    assert [one.pk for one, _ in records(distinct, None, 2)] == [10, 20, 30, 40, 50]
    other_side = select(Letter.key, User.name).join(User)
    assert [row.key.int for row, _ in records(other_side, None, 2, session=session)] == list(range(15))


def test_relations_hold_every_row(session):
    found = relations(rows_of_join(), None, 2, session=session)
    assert [row.user_id for one, _ in found for row in session.execute(one)] == OWNERS


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_mapped_class_comes_once_with_all_that_was_joined(session, size):
    query = select(User).join(Letter).options(contains_eager(User.letters))
    found = records(query, None, size, session=session)
    seen = {}
    for user, cursor in found:
        seen[cursor] = len(user.letters)
        session.expunge_all()
    assert seen == {10: 1, 20: 2, 30: 3, 40: 4, 50: 5}
    assert found.size() == 5


def test_an_alias_is_one_table(session):
    statements = []
    twin = aliased(User)
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert [one.user_id for one, _ in records(select(twin), None, 2, session=session)] == [10, 20, 30, 40, 50]
    assert len(statements) == 4


def test_a_column_of_the_other_table_is_no_key(session):
    """Both tables have a `key`: that of the first counts."""
    twin = aliased(Letter)
    query = select(Letter.user_id, twin.key).join(twin, twin.user_id == Letter.user_id)
    with pytest.raises(ConfigError, match="its primary key 'key' among its columns"):
        records(query, None, session=session)
