"""The blocks of the guide on transactions run, in order, as they stand there, against a real Redis, in a fresh process.

A fresh one, as the page sets Django up as a project would.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pillion.settings.sources import load_config

TESTS = Path(__file__).parents[1]
GUIDE = TESTS.parent / "docs" / "guides" / "transactions.md"

RUN = """
import asyncio, contextlib, json, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["pillion.contrib.django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from doc_examples import run_page
from pathlib import Path

class Patch:
    def setitem(self, mapping, key, value):
        mapping[key] = value

names = run_page(Path(sys.argv[1]), Patch())
from pillion import default
default.config().on_enqueue_in_transaction = None
jid = asyncio.run(names["order_something"]())
with names["Session"](names["engine"]) as session:
    first = session.get(names["Order"], 1).jid
print(json.dumps({
    "jids": [first, jid, names["Purchase"].objects.get().jid],
    "caught": str(names["caught"]),
}))
"""


@pytest.fixture
def said(redis_url):
    """What the process says after it has run the page."""
    environ = {**os.environ, "REDIS_URL": redis_url, "PYTHONPATH": str(TESTS / "support")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(GUIDE)], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_guide_pushes_what_it_commits_and_nothing_else(said, raw):
    waiting = [json.loads(each) for each in reversed(raw.lrange("queue:default", 0, -1))]
    assert [(each["class"].rpartition(".")[2], each["args"]) for each in waiting] == [
        ("CompleteOrder", [1]),
        ("CompleteOrder", [2]),
        ("ShipOrder", [6]),
        ("ShipOrder", [7]),
        ("ShipOrder", [1]),
        ("CompleteOrder", [8]),
        ("CompleteOrder", [5]),
    ]
    assert [json.loads(each)["args"] for each in raw.zrange("schedule", 0, -1)] == [[4]]
    assert said["jids"] == [waiting[0]["jid"], waiting[-1]["jid"], waiting[4]["jid"]]


def test_the_guard_of_the_guide_names_the_line_of_the_page(said):
    line = 1 + next(n for n, text in enumerate(GUIDE.read_text().splitlines()) if "perform_async(1)" in text)
    assert said["caught"].startswith(f"{GUIDE}:{line}: a job is pushed while a transaction of a SQLAlchemy session")


OUTBOX = """
import json, sys
from pathlib import Path
from doc_examples import run_page

class Patch:
    def setitem(self, mapping, key, value):
        mapping[key] = value

names = run_page(Path(sys.argv[1]), Patch())
with names["Session"](names["engine"]) as session:
    print(session.get(names["Order"], 1).jid)
"""


def test_the_guide_on_the_outbox(redis_url, raw, tmp_path):
    environ = {**os.environ, "REDIS_URL": redis_url, "PYTHONPATH": str(TESTS / "support")}

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=False, env=environ, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    jid = run("-c", OUTBOX, str(GUIDE.with_name("outbox.md"))).strip()
    assert run("-m", "pillion", "outbox", "sqlite:///shop.db", "--once") == "1 jobs pushed.\n"
    ship, complete = (json.loads(each) for each in reversed(raw.lrange("queue:default", 0, -1)))
    assert (ship["requires_intent"], ship["args"]) == (True, [1])
    assert (complete["jid"], complete["args"]) == (jid, [1])


def test_the_toml_of_the_guide_loads(tmp_path):
    block = GUIDE.read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "pillion.toml").write_text(block)
    assert load_config({}, {}, tmp_path).config.on_enqueue_in_transaction == "warn"
