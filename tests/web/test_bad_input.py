"""What no browser sends, in every place where something may be sent: refused or read, and never an error of ours."""

import json

import pytest
from web_scene import QUEUE, RETRY_JID

from pillion.web import paths
from pillion.web.cookies import COMPACT, FLASH, LOCALE
from pillion.web.routes import ROUTES

# No UTF-8, half a surrogate pair, NUL, the end of a line, and a sign that turns the direction of writing.
BYTES = "%FF%ED%A0%80%00%0D%0A%E2%80%AE"
FORM = {"content-type": "application/x-www-form-urlencoded"}
NAMES = {"queue": QUEUE, "set": "retries", "jid": RETRY_JID, "job_class": "A", "bulk_id": "b", "identity": "i"}
LOOKS = [route for route in ROUTES if route.method == "GET" and route.role and route.name != "api_health"]
FORMS = [route for route in ROUTES if route.kind in ("action", "own")]
PROGRAMS = [route for route in ROUTES if route.kind == "api" and route.method == "POST"]


def path_of(route):
    return paths.fill(route.path, NAMES | {"undo_id": "u"})


def texts_of(route):
    return [param.name for param in route.params if param.kind in ("text", "texts")]


@pytest.mark.parametrize("route", [one for one in LOOKS if texts_of(one)], ids=lambda route: route.name)
def test_bytes_that_are_no_text_break_no_page(route, dash, filled):
    client = dash().client("admin")
    for name in texts_of(route):
        assert client.get(f"{path_of(route)}?{name}={BYTES}").status_code < 500


@pytest.mark.parametrize("route", FORMS, ids=lambda route: route.name)
def test_bytes_that_are_no_text_break_no_action(route, dash, filled):
    client = dash().client("admin")
    body = "&".join(f"{name}={BYTES}" for name in texts_of(route))
    for more in ("", "&confirmed=1"):
        assert client.post(path_of(route), content=body + more, headers=FORM).status_code < 500


@pytest.mark.parametrize("route", PROGRAMS, ids=lambda route: route.name)
def test_values_of_any_kind_break_no_action(route, dash, filled):
    client = dash().client("admin")
    values = ('"\\udcff"', '"\\u0000"', "1" * 5000, "-1e999", "[[1]]", '{"a":1}', "[1,1,1]")
    for body in (f'{{"{param.name}":{value}}}' for param in route.params for value in values):
        answer = client.post(path_of(route), content=body, headers={"content-type": "application/json"})
        assert answer.status_code < 500, body


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, '{"confirmed":' + "[" * 90_000 + "]" * 90_000 + "}"]
)
def test_a_deep_body_is_refused(body, dash, filled):
    answer = (
        dash()
        .client("admin")
        .post(f"/api/v1/queues/{QUEUE}:pause", content=body, headers={"content-type": "application/json"})
    )
    assert answer.status_code == 400
    assert not filled.exists("paused")


@pytest.mark.parametrize("value", ["&".join(["a=1"] * 40), "%FF", "code=done&action=undo&count=" + "9" * 900, '"\\015'])
def test_a_flash_that_somebody_else_wrote_breaks_no_page(value, dash, filled):
    answer = dash().client("admin", cookie=f"{FLASH}={value}").get("/busy")
    assert answer.status_code == 200


@pytest.mark.parametrize("value", ['"\\015\\012X: y"', '"a\\073 Domain=b"', "\u00e9", "a" * 300])
def test_a_cookie_that_is_set_again_brings_no_header_along(value, dash, filled):
    answer = (
        dash()
        .client("admin")
        .post("/preferences", data={"compact": "1"}, headers={b"cookie": f"{LOCALE}={value}".encode("latin-1")})
    )
    kept = dict(each.split("=", 1) for each in answer.headers.get_list("set-cookie"))
    assert kept[COMPACT].startswith("1;")
    assert kept[LOCALE].startswith("; Path=/")
    assert "Domain" not in json.dumps(kept)
