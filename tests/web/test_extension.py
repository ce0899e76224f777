"""Tabs that others add: in the same table, so with the same roles, confirm, audit and headers."""

from dataclasses import dataclass

import pytest
from web_scene import digest

from pillion.errors import ConfigError
from pillion.web import Extension, Route, Tab
from pillion.web.confirm import Preview
from pillion.web.data.models import Outcome
from pillion.web.routes import BACK, CONFIRMED, CUTOFF, EXPECTED, WORD


@dataclass(frozen=True)
class Batches:
    names: tuple[str, ...]


LIST = Route(name="batches", method="GET", path="/batches", kind="page", role="viewer", summary="All batches")
API = Route(name="api_batches", method="GET", path="/api/v1/batches", kind="api", role="viewer", summary="All batches")
DROP = Route(
    name="batch_drop",
    method="POST",
    path="/batches/{bid}/drop",
    kind="action",
    role="admin",
    summary="Forget a batch",
    params=(BACK, CONFIRMED, WORD, EXPECTED, CUTOFF),
    confirm=True,
)


def load(ask):
    return Batches(tuple(sorted(name.decode() for name in ask.fleet.storage.run(smembers()))))


def smembers():
    from pillion.storage.ops.base import command

    return command("SMEMBERS", "batches")


def drop(ask):
    from pillion.storage.ops.base import command

    gone = ask.fleet.storage.run(command("SREM", "batches", ask["bid"]))
    return Outcome("done" if gone else "nothing", "batch_drop", ask["bid"], moved=gone)


@pytest.fixture
def batches(tmp_path):
    folder = tmp_path / "templates" / "pages"
    folder.mkdir(parents=True)
    (folder / "batches.html").write_text(
        '{% extends "layout.html" %}{% block title %}Batches{% endblock %}'
        "{% block content %}{% for name in page.names %}<b>{{ name }}</b>{% endfor %}{% endblock %}"
    )
    return Extension(
        name="batches",
        tab=Tab(route="batches", title="Batches <1>"),
        routes=(LIST, API, DROP),
        pages={"batches": load, "api_batches": load},
        actions={"batch_drop": drop},
        previews={"batch_drop": lambda ask: Preview(target=ask["bid"], count=1)},
        templates=folder.parent,
    )


@pytest.fixture
def board(dash, filled, batches):
    filled.sadd("batches", "<b1>", "b2")
    return dash(extensions=[batches])


def test_its_tab_shows_on_every_page(board):
    page = board.client("viewer").get("/queues").text
    assert 'href="/batches"' in page
    assert "Batches &lt;1&gt;" in page


def test_its_page_is_drawn_and_escaped(board):
    assert "<b>&lt;b1&gt;</b>" in board.client("viewer").get("/batches").text


def test_its_json_is_json(board):
    assert board.client("viewer").get("/api/v1/batches").json() == {"names": ["<b1>", "b2"]}


def test_its_roles_hold(board):
    assert board.client("").get("/batches").status_code == 401
    assert board.client("operator").post("/batches/b2/drop").status_code == 403


def test_its_action_asks_acts_and_is_written_down(board, filled):
    client = board.client("admin")
    before = digest(filled)
    assert client.post("/batches/b2/drop").status_code == 200
    assert digest(filled) == before
    assert client.post("/batches/b2/drop", data={"confirmed": "1", "expected_count": "1"}).status_code == 303
    assert filled.smembers("batches") == {b"<b1>"}
    assert filled.xrange("pl:audit")[-1][1][b"action"] == b"batch_drop"


def test_a_read_only_dashboard_has_its_pages_only(dash, filled, batches):
    client = dash(extensions=[batches], read_only=True).client("admin")
    assert client.get("/batches").status_code == 200
    assert client.post("/batches/b2/drop").status_code == 405


@pytest.mark.parametrize(
    "wrong",
    [
        {"routes": (LIST,), "pages": {}},
        {"routes": (LIST,), "pages": {"batches": load, "other": load}},
        {"routes": (DROP,), "actions": {"batch_drop": drop}},
        {"routes": (LIST,), "pages": {"batches": load}, "tab": Tab(route="other", title="Other")},
    ],
)
def test_one_that_does_not_fit_together_is_refused(wrong):
    with pytest.raises(ConfigError, match="batches"):
        Extension(**{"name": "batches"} | wrong)


def test_one_that_takes_a_name_of_ours_is_refused(dash):
    route = Route(name="queues", method="GET", path="/other", kind="page", role="viewer", summary="")
    with pytest.raises(ValueError, match="queues"):
        dash(extensions=[Extension(name="other", routes=(route,), pages={"queues": load})])
