"""Every route as everybody: who may, who may not, and that looking changes nothing. Made from the one table."""

import pytest
from web_scene import PLACES, digest

from pillion.web import paths
from pillion.web.roles import ROLES, may
from pillion.web.routes import ROUTES
from pillion.wire import keys

ROLE_NAMES = ("", *ROLES)
GETS = [route for route in ROUTES if route.method == "GET"]
POSTS = [route for route in ROUTES if route.method == "POST"]
CASES = [pytest.param(route, role, id=f"{route.name}-{role or 'stranger'}") for route in ROUTES for role in ROLE_NAMES]
# Answers of those who may: done, there is no such thing, to be confirmed, cannot be done.
ADMITTED = {200, 202, 303, 400, 404, 409, 428}


def address(route):
    return paths.fill(route.path, {"file": "nothing.css", **PLACES})


def send(client, route, method=None, *, confirmed=False):
    # From a page of the dashboard: what comes from elsewhere is refused before anybody asks who it is.
    headers = {"sec-fetch-site": "same-origin"}
    options = {}
    if route.method == "POST" and method is None:
        said = {"confirmed": True} if confirmed and route.confirm else {}
        options = {"json": said} if route.kind == "api" else {"data": dict.fromkeys(said, "1")}
    return client.request(method or route.method, address(route), headers=headers, **options)


@pytest.mark.parametrize(("route", "role"), CASES)
def test_a_route_answers_those_who_may_and_nobody_else(route, role, dash, filled):
    before = digest(filled, without=[keys.AUDIT])  # which has what was refused
    answer = send(dash().client(role), route, confirmed=True)
    if may(role or None, route.role):
        assert answer.status_code in ADMITTED
    else:
        assert answer.status_code == (403 if role else 401)
        assert digest(filled, without=[keys.AUDIT]) == before


@pytest.mark.parametrize("route", GETS, ids=lambda route: route.name)
def test_looking_changes_nothing(route, dash, filled):
    client = dash().client("admin")
    before = digest(filled)
    for method in ("GET", "HEAD"):
        assert send(client, route, method).status_code in ADMITTED | {503}
    assert digest(filled) == before


@pytest.mark.parametrize("route", POSTS, ids=lambda route: route.name)
def test_what_changes_something_is_not_answered_to_get(route, dash, filled):
    before = digest(filled)
    assert send(dash().client("admin"), route, "GET").status_code in (404, 405)
    assert digest(filled) == before


@pytest.mark.parametrize("route", GETS, ids=lambda route: route.name)
def test_what_shows_something_takes_no_post(route, dash, filled):
    assert dash().client("admin").post(address(route)).status_code in (404, 405)


@pytest.mark.parametrize("route", [route for route in POSTS if route.confirm], ids=lambda route: route.name)
def test_what_removes_or_ends_something_asks_first(route, dash, filled):
    before = digest(filled)
    answer = send(dash().client("admin"), route)
    if route.kind == "api":
        assert answer.status_code == 428 or answer.json()["code"] == "nothing"
    else:
        assert answer.status_code in (200, 303)
    filled.delete("pl:audit")  # that nothing was ticked is written down
    assert digest(filled) == before


@pytest.mark.parametrize("route", [route for route in POSTS if route.kind != "own"], ids=lambda route: route.name)
def test_a_read_only_dashboard_has_no_buttons_and_takes_no_actions(route, dash, filled):
    before = digest(filled)
    answer = send(dash(read_only=True).client("admin"), route)
    assert answer.status_code == 405
    assert digest(filled) == before


def test_a_stranger_does_not_learn_what_there_is(dash, filled):
    assert dash().client("").get("/no/such/page").status_code == 401
    assert dash().client("viewer").get("/no/such/page").status_code == 404


def test_a_refusal_names_the_role_that_may(dash, filled):
    answer = dash().client("viewer").get("/audit")
    assert "admin" in answer.text
    assert "viewer" in answer.text
