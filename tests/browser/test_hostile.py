"""Whatever somebody stores in Redis: on the page it is text."""

import json
import time

import pytest

TEXTS = (
    "<script>window.hit = 1</script>",
    '"><img src=x onerror="window.hit = 1">',
    "</script><svg onload='window.hit = 1'>",
    "javascript:window.hit = 1",
    "<form action='https://evil.example'><input name=x></form><base href='https://evil.example'>",
)
PAGES = (
    "/",
    "/busy",
    "/queues",
    "/retries",
    "/retries?view=list",
    "/scheduled",
    "/dead?view=list",
    "/metrics",
    "/search?q=x",
    "/audit",
)
STRANGERS = (
    *("img", "iframe", "object", "embed", "base", 'script:not([type=module]):not([type="application/json"])'),
    *("a[href^=javascript i]", "form[action^=http i]"),
)
FOREIGN = f"document.querySelectorAll({json.dumps(', '.join(STRANGERS))}).length"


def store(client, text):
    """The text in every field that there is."""
    now = time.time()
    ms = int(now * 1000)
    job = {
        "class": text,
        "args": [text, {text: text}],
        "jid": text,
        "queue": text,
        "retry": True,
        "tags": [text],
        "bid": text,
        "created_at": ms,
        "wrapped": text,
        "display_class": text,
        "cattr": {text: text},
        text: text,
    }
    failure = {
        "error_class": text,
        "error_message": text,
        "error_backtrace": [text],
        "failed_at": ms,
        "retry_count": 1,
        "retried_at": ms,
    }
    client.sadd("queues", text)
    client.lpush(f"queue:{text}", json.dumps(job), text)
    client.sadd("paused", text)
    client.zadd("retry", {json.dumps(job | failure): now + 900, text: now + 901})
    client.zadd("dead", {json.dumps(job | failure): now - 9})
    client.zadd("schedule", {json.dumps(job): now + 60})
    info = {
        "hostname": text,
        "pid": 1,
        "tag": text,
        "labels": [text],
        "version": text,
        "queues": [text],
        "concurrency": 5,
        "identity": text,
        "started_at": now,
    }
    client.sadd("processes", text)
    client.hset(
        text, mapping={"info": json.dumps(info), "busy": 1, "beat": now, "quiet": "false", "rss": 1, "rtt_us": 1}
    )
    client.hset(f"{text}:work", text, json.dumps({"queue": text, "payload": json.dumps(job), "run_at": int(now)}))
    client.xadd(
        "pl:audit",
        dict.fromkeys(("who", "role", "action", "target", "filter", "result", "address", "undo_id"), text)
        | {"count": 1},
    )
    bucket = time.strftime("%y%m%d|", time.gmtime(now)) + f"{time.gmtime(now).tm_hour}:{time.gmtime(now).tm_min:02d}"
    client.hset(f"j|{bucket}", mapping={f"{text}|p": 3, f"{text}|f": 1, f"{text}|ms": 30})
    client.hset(
        time.strftime("%Y%m%d-marks", time.gmtime(now)),
        f"{time.strftime('%Y-%m-%dT%H:%M', time.gmtime(now))}:00Z",
        text,
    )
    client.set("stat:processed", 40)
    client.set("stat:failed", 4)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_stored_texts_stay_texts_on_every_page(raw, site, visit, text):
    store(raw, text)
    page = visit(site, allow=("404",))
    paths = [site + path for path in PAGES]
    for path in ("/queues", "/retries?view=list", "/metrics"):
        page.goto(site + path)
        paths += page.locator("tbody a").evaluate_all("(links) => links.map((link) => link.href)")
    assert len(paths) > len(PAGES)
    for path in dict.fromkeys(paths):
        page.goto(path)
        assert page.evaluate(FOREIGN) == 0, path
        assert page.evaluate("window.hit") is None, path


def test_a_refresh_brings_no_element_of_a_stored_text(raw, site, visit):
    page = visit(f"{site}/retries?view=list")
    page.evaluate("localStorage.setItem('pillion.live', '2')")
    page.reload()
    store(raw, TEXTS[1])
    page.locator("tbody tr").first.wait_for()
    assert page.evaluate(FOREIGN) == 0
    assert page.evaluate("window.hit") is None


def test_a_confirmation_in_place_brings_no_element_of_a_stored_text(raw, site, visit):
    store(raw, TEXTS[1])
    page = visit(f"{site}/retries?view=list")
    page.locator("tbody input").first.check()
    page.locator(".bulk").get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").wait_for()
    assert page.evaluate(FOREIGN) == 0
    assert page.evaluate("window.hit") is None
