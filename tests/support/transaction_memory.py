"""Transactions in memory, for the rules of pushes that wait for one."""

from __future__ import annotations

import contextlib

from own_home import OwnHome

from pillion.client.held import dropped, release, release_async
from pillion.client.transactions import around


class Memory:
    """A transaction that commits when it is told to."""

    def __init__(self, name="the transaction", *, is_open=True, is_async=True):
        self.name, self.is_open, self.is_async, self.held = name, is_open, is_async, []

    def __str__(self):
        return self.name

    def hold(self, held):
        self.held.append(held)

    def _due(self):
        due, self.held = [held for held in self.held if held.is_due()], []
        return due

    def commit(self):
        release(self._due())

    async def commit_aio(self):
        await release_async(self._due())

    def rollback(self):
        dropped(self.held)
        self.held = []


@contextlib.contextmanager
def inside(*transactions):
    token = around.set((*around.get(), *transactions))
    yield
    around.reset(token)


def watched(home, *transactions):
    home.settings.transactions.append(lambda: transactions)
    return transactions[0]


def numbers(sent):
    """The first argument of each job that was sent."""
    return [payload["args"][0] for payload in sent.pushed]


def three_jobs():
    """A home with the jobs Plain, Waiting (transactional_push=True) and Never (=False)."""
    home = OwnHome()

    class Plain(home.Job):
        def perform(self, number): ...

    class Waiting(home.Job, transactional_push=True):
        def perform(self, number): ...

    class Never(home.Job, transactional_push=False):
        def perform(self, number): ...

    home.Plain, home.Waiting, home.Never = Plain, Waiting, Never
    return home
