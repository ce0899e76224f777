"""In the modes of testing pushes wait for a commit as they do in production."""

import pytest
from transaction_memory import Memory, inside

from pillion import Job, testing


@pytest.fixture
def ran():
    return []


@pytest.fixture
def Note(ran):
    class Note(Job):
        def perform(self, text: str) -> None:
            ran.append(text)

    return Note


def test_a_fake_job_appears_after_the_commit(Note):
    transaction = Memory()
    with testing.fake(), inside(transaction):
        Note.perform_async("a")
        assert Note.jobs == []
        transaction.commit()
        assert [job["args"] for job in Note.jobs] == [["a"]]


def test_a_fake_job_is_gone_after_a_rollback(Note):
    transaction = Memory()
    with testing.fake(), inside(transaction):
        Note.perform_async("a")
        transaction.rollback()
        assert Note.jobs == []


def test_an_inline_job_runs_after_the_commit(Note, ran):
    transaction = Memory()
    with testing.inline(), inside(transaction):
        Note.perform_async("a")
        assert ran == []
        transaction.commit()
    assert ran == ["a"]


def test_a_job_goes_to_the_mode_that_it_was_pushed_in(Note):
    transaction = Memory()
    with testing.fake():
        with testing.fake(), inside(transaction):
            Note.perform_async("a")
            transaction.commit()
            assert len(Note.jobs) == 1
        assert Note.jobs == []


def test_perform_inline_does_not_wait(Note, ran):
    with testing.fake(), inside(Memory()):
        Note.perform_inline("a")
        Note.set(sync=True).perform_async("b")
    assert ran == ["a", "b"]
