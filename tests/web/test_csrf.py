"""Who made the browser send it: the matrix of section 5.1 of the brief, by rule and through the application."""

import pytest
from web_scene import HOST, QUEUE, digest

from pillion.web.security.origin import host_name, is_known_host, why_foreign

OWN = f"http://{HOST}"
BEARER = {"authorization": "Bearer some-token-or-other"}

PASS = [
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "same-origin", "origin": OWN},
    {"sec-fetch-site": "same-origin", "origin": "http://changed-by-a-proxy"},
    {"origin": OWN},
    {"origin": OWN.upper().replace("HTTP", "http")},
    {"origin": "https://" + HOST},
    BEARER,
]
REFUSE = [
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": ""},
    {"sec-fetch-site": "cross-site", "origin": OWN},
    {"sec-fetch-site": "cross-site"} | BEARER,
    {"origin": "null"},
    {"origin": "http://["},
    {"origin": ""},
    {"origin": "http://evil.test"},
    {"origin": f"http://evil.{HOST}"},
    {"origin": f"http://{HOST}.evil.test"},
    {"origin": f"http://{HOST}:81"},
    {"origin": f"ftp://{HOST}"},
    {"origin": HOST},
    {"origin": "http://evil.test"} | BEARER,
    {"authorization": "Basic YTpi"},
    {"authorization": "Bearer"},
]


@pytest.mark.parametrize("headers", PASS, ids=str)
def test_our_own_pages_and_programs_pass(headers):
    assert why_foreign("POST", {"host": HOST} | headers, None) is None


@pytest.mark.parametrize("headers", REFUSE, ids=str)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "BREW"])
def test_others_do_not_pass(headers, method):
    assert why_foreign(method, {"host": HOST} | headers, None) is not None


@pytest.mark.parametrize("headers", [*PASS, *REFUSE], ids=str)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_is_free(headers, method):
    assert why_foreign(method, {"host": HOST} | headers, None) is None


def test_a_public_origin_passes_where_a_proxy_changes_the_host():
    headers = {"host": "127.0.0.1:9000", "origin": "https://jobs.example.com"}
    assert why_foreign("POST", headers, None) is not None
    assert why_foreign("POST", headers, "https://jobs.example.com/") is None
    assert why_foreign("POST", headers | {"origin": "https://jobs.example.com.evil.test"}, "https://jobs.example.com")


def test_two_missing_hosts_are_not_the_same_host():
    assert why_foreign("POST", {"origin": "http://"}, None) is not None


@pytest.mark.parametrize("headers", [each for each in PASS if "authorization" not in each], ids=str)
def test_through_the_application_our_own_pass(headers, dash, filled):
    answer = dash(auth=None, hosts=[HOST]).client("", **headers).post(f"/queues/{QUEUE}/pause")
    assert answer.status_code == 303
    assert filled.smembers("paused") == {QUEUE.encode()}


@pytest.mark.parametrize("headers", REFUSE, ids=str)
def test_through_the_application_others_change_nothing(headers, dash, filled):
    before = digest(filled)
    answer = dash(auth=None, hosts=[HOST]).client("", **headers).post(f"/queues/{QUEUE}/pause")
    assert answer.status_code == 403
    assert digest(filled) == before


def test_the_api_has_the_same_rule(dash, filled):
    client = dash(auth=None, hosts=[HOST]).client("", origin="http://evil.test")
    answer = client.post(f"/api/v1/queues/{QUEUE}:pause")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not filled.exists("paused")


def test_no_answer_lets_another_site_read(dash, filled):
    client = dash().client("admin", origin="http://evil.test")
    for path in ("/", "/api/v1/queues", "/stats", "/nothing"):
        answer = client.get(path)
        assert [name for name in answer.headers if name.startswith("access-control")] == []
    assert client.options("/api/v1/queues").status_code in (403, 405)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Jobs.Test:8080", "jobs.test"),
        ("[::1]:8080", "::1"),
        ("[::1]", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost.", "localhost"),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(host, name):
    assert host_name(host) == name


def test_without_a_list_of_hosts_any_name_will_do():
    assert is_known_host("anything", None)


class TestWithoutALogin:
    """`auth=None`: everybody who reaches it is an admin, so names of other machines do not reach it."""

    @pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"])
    def test_this_machines_names_are_answered(self, host, dash, filled):
        assert dash(auth=None).client("", host=host).get("/").status_code == 200

    @pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "", "10.0.0.1"])
    def test_other_names_are_not(self, host, dash, filled):
        answer = dash(auth=None).client("", host=host).get("/")
        assert answer.status_code == 403
        assert "hosts=" in answer.text

    def test_a_name_that_is_allowed_is(self, dash, filled):
        assert (
            dash(auth=None, hosts=["jobs.example.com"]).client("", host="jobs.example.com").get("/").status_code == 200
        )
