"""Names in addresses, addresses of mounts, and where a form may lead back to."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.web import paths
from pillion.web.errors import Refusal
from pillion.web.request_scope import RequestScope
from pillion.web.router import Router, split
from pillion.web.routes import ROUTES

ROUTER = Router(ROUTES, read_only=False)
HOSTILE = [
    "..",
    ".",
    "",
    "~",
    "~2F",
    "a/b",
    "a//b",
    "/",
    "%2F",
    "a?b#c",
    "a b",
    "ü",
    "<script>",
    "\\",
    "a\nb",
    ";x",
    "-",
]


def scope(root="/jobs", path="/queues", query=()):
    return RequestScope(
        who="ana",
        role="operator",
        root=root,
        path=path,
        query=query,
        routes=ROUTER.by_name,
        active="queues",
        locale="en",
        theme="auto",
        compact=False,
        read_only=False,
        title="pillion",
        environment="",
        version="0",
        redis_label="",
        assets={"style.css": "style.123.css"},
    )


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_name_survives_the_way_there_and_back(name):
    text = paths.segment(name)
    assert paths.unsegment(unquote(text)) == name
    assert text.isascii()
    assert not set(text) & set("/?#\\ \"'<>;")
    assert "%2F" not in text
    assert text not in ("", ".", "..")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_queue_names_have_a_page_and_actions(name):
    at = scope(root="")
    for route in ("queue", "queue_pause", "queue_clear", "api_queue_jobs", "api_queue_pause"):
        path = unquote(at.url(route, queue=name))
        found, names = ROUTER.find(ROUTER.by_name[route].method, path)
        assert (found.name, names) == (route, {"queue": name})


def test_no_path_of_the_table_is_taken_for_another():
    for route in ROUTES:
        path = paths.fill(route.path, dict.fromkeys(paths.places(route.path), "a:pause"))
        assert ROUTER.find(route.method, unquote(path))[0] == route


def test_every_route_is_named_once():
    with pytest.raises(ValueError, match="dashboard"):
        Router([*ROUTES, ROUTER.by_name["dashboard"]], read_only=False)


@pytest.mark.parametrize(
    ("asgi", "root", "path"),
    [
        ({"path": "/queues"}, "", "/queues"),
        ({"path": "/queues/"}, "", "/queues"),
        ({"path": "/"}, "", "/"),
        ({"path": ""}, "", "/"),
        ({"path": "/jobs/queues", "root_path": "/jobs"}, "/jobs", "/queues"),  # Starlette's Mount, a2wsgi, uvicorn
        ({"path": "/queues", "root_path": "/jobs"}, "/jobs", "/queues"),  # servers that take it out
        ({"path": "/jobs", "root_path": "/jobs"}, "/jobs", "/"),
        ({"path": "/jobs/", "root_path": "/jobs/"}, "/jobs", "/"),
        ({"path": "/jobsboard", "root_path": "/jobs"}, "/jobs", "/jobsboard"),
        # Mounted below a proxy that took its prefix away: only the mount is still in the path.
        ({"path": "/jobs/queues", "root_path": "/proxy/jobs", "app_root_path": "/proxy"}, "/proxy/jobs", "/queues"),
        (
            {"path": "/proxy/jobs/queues", "root_path": "/proxy/jobs", "app_root_path": "/proxy"},
            "/proxy/jobs",
            "/queues",
        ),
    ],
)
def test_where_we_are_mounted(asgi, root, path):
    assert split(asgi) == (root, path)


def test_a_wrong_method_says_which_are_right():
    with pytest.raises(Refusal) as refused:
        ROUTER.find("PUT", "/queues")
    assert (refused.value.status, refused.value.headers) == (405, (("allow", "GET, HEAD"),))


@pytest.mark.parametrize("back", ["/queues", "/queues?q=a%20b&page=2", "/queues/~2E~2E"])
def test_a_way_back_below_the_mount_is_taken(back):
    assert paths.safe_back(back) == back


@pytest.mark.parametrize(
    "back",
    ["", "queues", "//evil.test", "/\\evil.test", "https://evil.test", "\\\\evil.test", "/a\r\nb: c", "/\t/evil"],
)
def test_a_way_to_elsewhere_is_not(back):
    assert paths.safe_back(back) == "/"


class TestScope:
    def test_an_address_has_the_mount_and_what_is_no_place_as_query(self):
        assert scope().url("queue", queue="mail", page=2, q=None) == "/jobs/queues/mail?page=2"

    def test_a_name_that_python_keeps_for_itself_ends_with_an_underscore(self):
        assert scope().url("job", jid="a", in_="retries", at=1.5) == "/jobs/jobs/a?in=retries&at=1.5"

    def test_this_page_with_other_parameters(self):
        here = scope(query=(("q", "a b&c"), ("page", "3"), ("fragment", "1"))).here(page=1, sort="name")
        assert here == "/jobs/queues?q=a+b%26c&page=1&sort=name"

    def test_the_way_back_is_below_the_mount(self):
        assert scope(path="/queues/~2E~2E/ü").back == "/queues/~2E~2E/%C3%BC"
        assert paths.safe_back(scope(path="/a").back) == "/a"

    def test_a_place_without_a_value_is_an_error(self):
        with pytest.raises(KeyError, match="queue"):
            scope().url("queue")

    def test_may_is_by_role(self):
        assert scope().can("queue_pause")
        assert not scope().can("queue_clear")
        assert not scope().can("no_such_route")

    def test_an_asset_has_its_hash(self):
        assert scope().asset("style.css") == "/jobs/assets/style.123.css"
