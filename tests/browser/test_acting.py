"""Doing something: ticks, confirmations, undo, keys; with script and without."""

import json
import time

import pytest
from playwright.sync_api import expect


def retries(client, count, error="Boom"):
    now = time.time()
    with client.pipeline() as pipe:
        for number in range(count):
            facts = {"class": "Pay", "args": [number], "jid": f"{number:024x}", "queue": "default", "retry": True}
            facts |= {
                "failed_at": int(now * 1000),
                "error_class": error,
                "error_message": f"order {number}",
                "retry_count": 0,
            }
            pipe.zadd("retry", {json.dumps(facts): now + 1000 + number})
        pipe.execute()


@pytest.fixture
def page(raw, site, visit):
    """Twenty retries as a list."""
    retries(raw, 20)
    return visit(f"{site}/retries?view=list")


def test_shift_ticks_a_range_also_across_row_ten(page):
    page.locator("tbody input").nth(8).click()
    page.locator("tbody input").nth(11).click(modifiers=["Shift"])
    ticked = page.locator("tbody input").evaluate_all("(all) => all.flatMap((one, at) => one.checked ? [at] : [])")
    assert ticked == [8, 9, 10, 11]
    assert page.locator("[data-ticked]").inner_text() == "4 ticked"


def test_all_rows_are_ticked_at_once_and_buttons_wait_for_a_tick(page):
    kill = page.locator(".bulk").get_by_role("button", name="Kill…")
    expect(kill).to_be_disabled()
    page.locator("[data-all]").check()
    assert page.locator("[data-ticked]").inner_text() == "20 ticked"
    expect(kill).to_be_enabled()


def test_retry_is_one_click(raw, page):
    page.locator("tbody input").first.check()
    page.locator(".bulk").get_by_role("button", name="Retry now").click()
    expect(page.locator("tbody tr")).to_have_count(19)
    assert raw.llen("queue:default") == 1
    expect(page.locator(".toast")).to_contain_text("Retry jobs: done (1)")


def test_deleting_asks_with_count_and_samples_and_can_be_left(raw, page):
    for number in range(3):
        page.locator("tbody input").nth(number).check()
    page.locator(".bulk").get_by_role("button", name="Delete…").click()
    ask = page.get_by_role("dialog")
    expect(ask).to_contain_text("3 jobs")
    assert ask.locator(".samples li").count() == 3
    ask.get_by_text("Cancel").click()
    expect(ask).to_be_hidden()
    assert raw.zcard("retry") == 20


def test_what_was_deleted_comes_back_by_undo(raw, page):
    page.locator("tbody input").first.check()
    page.locator(".bulk").get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete 1").click()
    toast = page.locator(".toast")
    toast.wait_for()
    assert raw.zcard("retry") == 19
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator("tbody tr")).to_have_count(20)
    assert raw.zcard("retry") == 20


def test_more_than_a_hundred_want_the_word_typed(raw, site, visit):
    retries(raw, 150)
    page = visit(f"{site}/retries")
    page.get_by_role("button", name="Delete…").click()
    ask = page.get_by_role("dialog")
    delete = ask.get_by_role("button", name="Delete 150")
    expect(delete).to_be_disabled()
    ask.get_by_role("textbox").fill("delete")
    delete.click()
    expect(page.locator("main")).to_contain_text("done")
    assert raw.zcard("retry") == 0


def test_without_script_deleting_asks_on_a_page_of_its_own(raw, site, visit):
    retries(raw, 3)
    page = visit(f"{site}/retries?view=list", script=False)
    page.locator("tbody input").first.check()
    page.locator(".bulk").get_by_role("button", name="Delete…").click()
    assert page.locator("main h1").inner_text() == "Delete jobs"
    assert raw.zcard("retry") == 3
    page.get_by_role("button", name="Delete 1").click()
    assert raw.zcard("retry") == 2
    page.get_by_role("button", name="Undo").click()
    assert raw.zcard("retry") == 3


def test_a_queue_is_paused_and_resumed_in_place(raw, site, visit):
    raw.sadd("queues", "mail")
    page = visit(f"{site}/queues")
    page.evaluate("window.same = true")
    row = page.locator("tbody tr")
    row.get_by_role("button", name="Pause").click()
    row.get_by_role("button", name="Resume").wait_for()
    assert raw.sismember("paused", "mail")
    row.get_by_role("button", name="Resume").click()
    row.get_by_role("button", name="Pause").wait_for()
    assert not raw.sismember("paused", "mail")
    assert page.evaluate("window.same") is True


@pytest.mark.parametrize(
    ("key", "path"),
    [("d", "/"), ("b", "/busy"), ("q", "/queues"), ("s", "/scheduled"), ("x", "/dead"), ("m", "/metrics")],
)
def test_g_and_a_letter_go_to_a_page(page, site, key, path):
    page.keyboard.press("g")
    page.keyboard.press(key)
    page.wait_for_url(site + path)


def test_keys_move_and_tick(page):
    for key in ("j", "j", "k", "j", "x"):
        page.keyboard.press(key)
    ticked = page.locator("tbody input").evaluate_all("(all) => all.findIndex((one) => one.checked)")
    assert ticked == 1


def test_slash_searches_and_escape_leaves(page):
    page.keyboard.press("/")
    expect(page.locator(".find input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".find input")).not_to_be_focused()


def test_no_single_key_changes_anything_by_itself(raw, page):
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    for key in "abcdefhiklmnpqrstuvwyz":
        page.keyboard.press(key)
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    assert (posts, raw.zcard("retry")) == ([], 20)


def test_shortcuts_can_be_switched_off(page, site):
    page.keyboard.press("?")
    page.get_by_label("Shortcuts on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator(".find input")).not_to_be_focused()


def test_a_jid_is_copied(raw, site, visit):
    retries(raw, 1)
    page = visit(f"{site}/jobs/{0:024x}?in=retries")
    page.locator("header .copy").click()
    expect(page.locator("#said")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{0:024x}"


def test_enter_in_the_search_finds_a_job_by_its_jid(page):
    page.locator(".find input").fill(f"{7:024x}")
    page.keyboard.press("Enter")
    expect(page.locator("main tbody tr")).to_have_count(1)


def test_going_back_shows_the_page_before(page, site):
    page.locator("tbody a.job").first.click()
    page.wait_for_url("**/jobs/**")
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(20)
