"""Headers that every answer has, also those that nobody thought of."""

import pytest
from web_scene import HOST

from pillion.web.security.headers import secured

KINDS = {
    "page": ("GET", "/", 200),
    "head": ("HEAD", "/", 200),
    "fragment": ("GET", "/queues?fragment=1", 200),
    "json": ("GET", "/api/v1/stats", 200),
    "problem": ("GET", "/api/v1/nothing", 404),
    "not found": ("GET", "/nothing", 404),
    "wrong method": ("PUT", "/queues", 405),
    "redirect": ("POST", "/queues/mail/pause", 303),
    "stranger": ("GET", "/no-token", 401),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_secured(kind, dash, filled):
    method, path, status = KINDS[kind]
    answer = dash().client("" if kind == "stranger" else "admin").request(method, path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "pillion",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_no_answer_says_a_header_twice():
    headers = secured([(b"X-Frame-Options", b"ALLOW"), (b"content-type", b"text/html")])
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names))
    assert dict(headers)[b"x-frame-options"] == b"DENY"


def test_assets_are_kept_for_ever_and_their_names_change_with_them(dash, filled):
    client = dash().client("viewer")
    page = client.get("/").text
    css = next(part for part in page.split('"') if "/assets/style." in part)
    answer = dash().client("").get(css)  # the page of an error has style, too
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert client.get("/assets/style.css").status_code == 404


def test_head_has_the_headers_of_get_and_no_body(dash, filled):
    client = dash().client("viewer")
    seen, asked = client.get("/stats"), client.head("/stats")
    assert asked.content == b""
    assert asked.headers["content-type"] == seen.headers["content-type"]


def test_a_page_has_nothing_inline(dash, filled):
    for path in ("/", "/queues", "/retries", "/retries?view=list", "/nothing"):
        page = dash().client("admin").get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        assert "javascript:" not in page
        assert "<script>" not in page


def test_a_session_over_https_is_never_sent_over_http(dash, filled):
    client = dash(public_origin="https://jobs.example.com").client("admin")
    cookies = client.post("/preferences", data={"theme": "dark"}).headers.get_list("set-cookie")
    assert cookies
    for cookie in cookies:
        assert "; Secure" in cookie
        assert "; HttpOnly" in cookie
        assert "; SameSite=Lax" in cookie
        assert "; Path=/" in cookie


def test_the_plain_host_is_no_https(dash, filled):
    cookies = dash().client("admin").post("/preferences", data={"theme": "dark"}).headers.get_list("set-cookie")
    assert HOST
    assert not any("Secure" in cookie for cookie in cookies)
