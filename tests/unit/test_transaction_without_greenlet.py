"""A plain Session needs no greenlet: SQLAlchemy 2.1 installs it with its extra `asyncio` only."""

import subprocess
import sys

PUSHES = """
import sys
sys.modules["greenlet"] = None  # as if it were not installed
import pillion
from pillion import Job, testing
from pillion.contrib import sqlalchemy as watcher
from sqlalchemy import create_engine, text
from sqlalchemy.orm import DeclarativeBase, Session

class Base(DeclarativeBase): pass
class Other(DeclarativeBase): pass

class Ship(Job):
    def perform(self, order_id: int) -> None: ...

watcher.watch()
engine = create_engine("sqlite://")
with testing.fake() as queues:
    for binds in ({"bind": engine}, {"binds": {Base: engine, Other: engine}}):
        with Session(**binds) as session, pillion.transaction(session):
            session.execute(text("SELECT 1"), bind_arguments={"bind": engine})
            Ship.perform_async(1)
            waited = not queues["default"]
            session.commit()
        print(waited, [job["args"] for job in queues["default"]])
        queues.clear()
"""


def test_pushes_wait_for_the_commit_of_a_plain_session() -> None:
    done = subprocess.run([sys.executable, "-c", PUSHES], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == "True [[1]]\nTrue [[1]]\n"
