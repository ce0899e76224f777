"""Numbers stay fresh, and nothing moves under the hand."""

import json
import time

import pytest
from playwright.sync_api import expect

HIDE = """
    Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})
    document.dispatchEvent(new Event('visibilitychange'))
"""
FAST = "localStorage.setItem('pillion.live', '2')"


def retry(client, jid, due_in_s, job_class="Pay"):
    now_ms = int(time.time() * 1000)
    facts = {"class": job_class, "args": [1], "jid": jid, "queue": "default", "retry": True, "created_at": now_ms}
    failure = {"failed_at": now_ms, "error_class": "Boom", "error_message": "no", "retry_count": 0}
    client.zadd("retry", {json.dumps(facts | failure): time.time() + due_in_s})


def push(client, jid):
    client.sadd("queues", "default")
    client.lpush("queue:default", json.dumps({"class": "Pay", "args": [], "jid": jid, "queue": "default"}))


@pytest.fixture
def live(site, visit):
    """A page that refreshes every two seconds."""

    def open_page(path, **options):
        page = visit(site + path, **options)
        page.evaluate(FAST)
        page.reload()
        return page

    return open_page


@pytest.fixture
def retries(raw, live):
    """The list of twelve retries, refreshed every two seconds."""
    for number in range(12):
        retry(raw, f"{number:024x}", 1000 + number)
    return live("/retries?view=list")


def jids(page):
    return page.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => row.dataset.key)")


def test_numbers_change_without_a_reload(raw, live):
    page = live("/queues")
    page.evaluate("window.same = true")
    push(raw, "a")
    expect(page.locator("main [data-stat=queues]")).to_have_text("1")
    expect(page.locator(".rail [data-of=queues]")).to_have_text("1")
    assert page.evaluate("window.same") is True


def test_the_title_follows_the_numbers(raw, live):
    page = live("/queues")
    push(raw, "a")
    expect(page).to_have_title("○ 1 · Queues – pillion")


def test_new_rows_appear_when_the_hand_is_away(raw, retries):
    retry(raw, "e" * 24, 1)
    expect(retries.locator("tbody tr")).to_have_count(13)


def test_while_a_row_is_ticked_new_ones_wait_behind_a_button(raw, retries):
    retries.locator("tbody input").nth(2).check()
    before = jids(retries)
    retry(raw, "e" * 24, 1)
    fresh = retries.get_by_role("button", name="1 new – show")
    fresh.wait_for()
    assert jids(retries) == before
    fresh.click()
    expect(retries.locator("tbody tr")).to_have_count(13)
    expect(retries.locator("tbody tr").nth(3).locator("input")).to_be_checked()


def test_under_the_pointer_rows_do_not_change_places(raw, retries):
    retries.locator("tbody tr").nth(4).hover()
    before = jids(retries)
    retry(raw, "e" * 24, 1)
    retries.get_by_role("button", name="1 new – show").wait_for()
    assert jids(retries) == before
    retries.mouse.move(5, 5)
    expect(retries.locator("tbody tr")).to_have_count(13)


def test_what_is_open_stays_open(raw, live):
    for number in range(3):
        retry(raw, f"{number:024x}", 1000 + number)
    page = live(f"/jobs/{0:024x}?in=retries")
    page.locator("details:has-text('As stored') > summary").first.click()
    retry(raw, "e" * 24, 1)
    expect(page.locator("main [data-stat=retries]")).to_have_text("4")
    expect(page.locator("details:has-text('As stored')").first).to_have_attribute("open", "")


def test_a_hidden_page_asks_for_nothing(raw, live):
    page = live("/queues")
    page.evaluate(HIDE)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    push(raw, "a")
    page.wait_for_timeout(4500)  # twice the time between two refreshes: that nothing comes has no signal
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("main [data-stat=queues]")).to_have_text("1")


def test_while_the_server_is_away_old_numbers_stay_and_the_page_says_so(raw, live):
    page = live("/queues", allow=("Failed to load resource", "ERR_"))
    push(raw, "a")
    expect(page.locator("main [data-stat=queues]")).to_have_text("1")
    page.route("**/queues?fragment=1", lambda route: route.abort())
    expect(page.locator("#live .text")).to_contain_text("reconnecting (")
    expect(page.locator("main [data-stat=queues]")).to_have_text("1")
    page.unroute("**/queues?fragment=1")
    expect(page.locator("#live .text")).to_have_text("")


def test_refreshing_can_be_switched_off_and_stays_off(site, visit):
    page = visit(f"{site}/queues")
    page.locator("#live select").select_option("0")
    page.reload()
    assert page.locator("#live").get_attribute("data-state") == "off"


def test_times_tick(raw, live):
    retry(raw, "e" * 24, 3600)
    page = live("/retries?view=list")
    page.locator("#live select").select_option("0")
    page.evaluate("document.querySelector('tbody time').dataset.at = Date.now() / 1000 + 8")
    expect(page.locator("tbody time").first).to_have_text("in 5s")


def test_a_chart_tells_the_numbers_under_the_pointer(fleet, visit):
    page = visit(f"{fleet.site}/metrics")
    page.locator(".chart .plot").first.hover()
    expect(page.locator(".chart .readout").first).to_contain_text("PaymentJob")
