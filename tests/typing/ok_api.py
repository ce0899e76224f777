"""Calls of the data API that a type checker must accept. Run by test_types.py; never executed."""

from typing import Any, assert_type

from pillion.api import Fleet, JobRecord, Migrated, Migration, Queue, Removed, Undo, Undoable, migrate
from pillion.api.listing import Page

mail = Queue("mail")

assert_type(mail.size(), int)
assert_type(mail.latency(), float)
assert_type(Queue.all(), list[Queue])
assert_type(Queue.all(mail.fleet), list[Queue])
assert_type(mail.page(0, 25, oldest_first=True), Page[JobRecord])
assert_type(mail.find_job("a"), JobRecord | None)
assert_type(mail.find("text", limit=5, budget_s=0.5, cursor=None), Page[JobRecord])
assert_type(mail.find(lambda job: job.latency() > 5).entries, list[JobRecord])
assert_type(mail.clear(undo_s=60), Removed)
assert_type(mail.pause(), bool)
assert_type(mail.size.explain(), str)
assert_type(Undo(mail.clear().undo_id).restore(progress=lambda done, total: print(done / total)), int)
assert_type(Undo.all(), list[Undoable])
assert_type(Migration("old", to="new").run(), Migrated)
assert_type(migrate("old", to="new", dead=True, fleet=mail.fleet), Migrated)

for job in mail:
    assert_type(job, JobRecord)
    assert_type(job.delete(), bool)
    assert_type(job["any"], Any)
for job in mail.each():
    assert_type(job, JobRecord)


async def ask(fleet: Fleet) -> None:
    assert_type(await mail.size.aio(), int)
    assert_type(await Queue.all.aio(fleet), list[Queue])
    assert_type(await mail.find.aio("text", limit=5), Page[JobRecord])
    assert_type(await Undo("id", fleet=fleet).restore.aio(), int)
    assert_type(await Migration("old", to="new").run.aio(), Migrated)
    async for job in mail:
        assert_type(job, JobRecord)
    async for job in mail.each.aio():
        assert_type(await job.delete.aio(), bool)
