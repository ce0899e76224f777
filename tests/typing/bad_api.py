"""Calls of the data API that a type checker must refuse, on the lines marked. Run by test_types.py; never executed."""

from pillion.api import Fleet, Migration, Queue, Undo, migrate

mail = Queue("mail")

Queue(5)  # E
Queue("mail", mail.fleet)  # E
mail.size(1)  # E
mail.page("0")  # E
mail.page(0, 25, True)  # E
mail.find(5)  # E
mail.find("x", limit="5")  # E
mail.find(lambda job: job.nothing)  # E
mail.find_job(5)  # E
mail.clear(60)  # E
mail.clear(undo_s="60")  # E
Queue.all("mail")  # E
Migration("old")  # E
Migration("old", "new")  # E
migrate("old", to=5)  # E
Undo("id").restore(progress=5)  # E
Undo("id").restore(5)  # E
mail.size().upper()  # E

for _number in mail.size():  # E
    pass


async def ask(fleet: Fleet) -> None:
    await mail.size()  # E
    await mail.page.aio("0")  # E
    await mail.clear.aio(60)  # E
    await Queue.all.aio("mail")  # E
    (await mail.size.aio()).upper()  # E
    async for _job in mail.each():  # E
        pass
    for _job in mail.each.aio():  # E
        pass
