"""Live refresh: `<main>` alone, with an ETag, and 304 while nothing has changed."""

import pytest
from web_scene import QUEUE

PAGES = ["/", "/busy", "/queues", f"/queues/{QUEUE}", "/retries", "/dead?view=list", "/scheduled", "/metrics"]


@pytest.fixture
def client(dash, filled):
    return dash(clock=lambda: 1_800_000_000.0).client("admin")


@pytest.mark.parametrize("path", PAGES)
def test_a_fragment_is_main_alone(path, client):
    join = "&" if "?" in path else "?"
    answer = client.get(f"{path}{join}fragment=1")
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith("<main")
    assert answer.text.rstrip().endswith("</main>")
    assert "fragment=1" not in answer.text  # its links lead to pages


def test_the_header_asks_for_it_too(client):
    assert client.get("/queues", headers={"x-pillion-fragment": "1"}).text.lstrip().startswith("<main")


def test_what_has_not_changed_is_not_sent_again(client):
    first = client.get("/retries?view=list&fragment=1")
    again = client.get("/retries?view=list&fragment=1", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_one_of_several_tags_will_do(client):
    tag = client.get("/retries?view=list&fragment=1").headers["etag"]
    again = client.get("/retries?view=list&fragment=1", headers={"if-none-match": f'"x", W/{tag}'})
    assert again.status_code == 304


def test_what_has_changed_is_sent(dash, filled):
    now_s = [1_800_000_000.0]
    client = dash(clock=lambda: now_s[0]).client("admin")
    tag = client.get("/retries?view=list&fragment=1").headers["etag"]
    filled.delete("retry")
    now_s[0] += 60  # beyond the micro-cache
    again = client.get("/retries?view=list&fragment=1", headers={"if-none-match": tag})
    assert again.status_code == 200
    assert again.headers["etag"] != tag


def test_a_fragment_keeps_the_flash_for_the_page(client):
    client.post(f"/queues/{QUEUE}/pause")
    assert "pillion_flash" in client.cookies
    client.get("/queues?fragment=1")
    assert "pillion_flash" in client.cookies
    client.get("/queues")
    assert "pillion_flash" not in client.cookies


def test_a_stranger_gets_no_fragment(dash, filled):
    assert dash().client("").get("/queues?fragment=1").status_code == 401
