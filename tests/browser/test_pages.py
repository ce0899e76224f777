"""Every page in every guise: light and dark, left to right and back, phone to desk, with script and without."""

import importlib.util
import json
import re
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

PAGES = (
    "/",
    "/busy",
    "/queues",
    "/queues/mail",
    "/queues/nowhere-known",
    "/retries",
    "/retries?view=list",
    "/scheduled",
    "/dead?view=list",
    "/metrics",
    "/metrics/PaymentJob",
    "/search?q=PaymentJob",
    "/audit",
    "/removed",
)
EMPTY_PAGES = (
    "/",
    "/busy",
    "/queues",
    "/retries",
    "/scheduled",
    "/dead",
    "/metrics",
    "/metrics/Nothing",
    "/search",
    "/audit",
)
AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).parent / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TALL_BUTTONS = (
    "[...document.querySelectorAll('.b')].filter((one) => one.offsetHeight > 34).map((one) => one.textContent.trim())"
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def violations(page):
    page.evaluate(AXE.read_text())
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", TAGS)["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def first_job(page, site):
    page.goto(f"{site}/retries?view=list")
    page.goto(page.locator("tbody a.job").first.evaluate("(link) => link.href"))


GUISES = [(width, locale, True) for width in (360, 820, 1440) for locale in ("en", "ar")]


@pytest.mark.parametrize(("width", "locale", "script"), [*GUISES, (360, "en", False), (1440, "ar", False)])
def test_pages_fit_and_their_buttons_do_not_wrap(fleet, visit, width, locale, script):
    page = visit(fleet.site, width=width, locale=locale, script=script, allow=("404",))
    found = {}
    for path in PAGES:
        page.goto(fleet.site + path)
        direction = page.locator("html").get_attribute("dir")
        found[path] = (
            page.title().endswith(" – pillion"),
            direction,
            page.evaluate(SIDEWAYS),
            page.evaluate(TALL_BUTTONS),
        )
    wanted = (True, "rtl" if locale == "ar" else "ltr", 0, [])
    assert {path: facts for path, facts in found.items() if facts != wanted} == {}


def test_a_redis_with_a_long_path_fits_too(own_redis, open_site, short_tmp, visit):
    folder = short_tmp / ("aprojectwithalongname" * 3)
    folder.symlink_to(Path(own_redis.socket).parent)
    page = visit(open_site(f"unix://{folder}/redis.sock").url, width=360)
    assert folder.name in page.locator(".foot").inner_text()
    assert page.evaluate(SIDEWAYS) == 0


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 1280), ("dark", 1280)])
def test_axe_finds_nothing_on_a_lively_fleet(fleet, visit, scheme, width):
    page = visit(fleet.site, width=width, scheme=scheme, allow=("404",))
    found = {}
    for path in PAGES:
        page.goto(fleet.site + path)
        found[path] = violations(page)
    first_job(page, fleet.site)
    found["job"] = violations(page)
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_an_empty_redis(site, visit, scheme):
    page = visit(site, scheme=scheme, allow=("404",))
    found = {}
    for path in EMPTY_PAGES:
        page.goto(site + path)
        found[path] = violations(page)
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_axe_finds_nothing_in_dialogs_and_menus(fleet, visit):
    page = visit(f"{fleet.site}/retries")
    page.keyboard.press("?")
    found = violations(page)
    page.keyboard.press("Escape")
    page.locator("tbody .danger").first.click()
    page.locator("#ask[open]").wait_for()
    found += violations(page)
    page.keyboard.press("Escape")
    page.locator("summary[title]").click()
    assert found + violations(page) == []


def test_a_chosen_look_and_language_stay(site, visit):
    page = visit(f"{site}/queues")
    page.locator("summary[title]").click()
    page.get_by_role("button", name="Dark").click()
    page.locator("html[data-theme=dark]").wait_for()
    page.locator("select[name=locale]").select_option("de")
    page.get_by_role("heading", name="Warteschlangen", exact=True).wait_for()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("html").get_attribute("lang") == "de"


def test_a_chosen_look_and_language_stay_without_script(site, visit):
    page = visit(f"{site}/queues", script=False)
    page.locator("summary[title]").click()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.locator("select[name=locale]").select_option("ja")
    page.get_by_role("button", name="Choose").click()
    assert page.locator("html").get_attribute("lang") == "ja"


def test_the_browser_s_language_is_taken(site, visit):
    assert visit(site, locale="fr-CH").locator("html").get_attribute("lang") == "fr"


def test_times_are_shown_in_the_zone_that_somebody_likes(fleet, browser):
    context = browser.new_context(timezone_id="Asia/Kolkata", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    asked = []
    page.goto(f"{fleet.site}/scheduled")
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("localStorage.setItem('pillion.live', '0')")
    written = page.locator(".foot time").inner_text()
    axis = page.locator(".chart .plot text[data-utc]").first.text_content()
    page.locator("summary[title]").click()
    page.get_by_role("button", name="Local time").click()
    local = moved(written.removesuffix(" UTC"), minutes=330) + " GMT+5:30"
    expect(page.locator(".foot time")).to_have_text(local)
    assert (
        page.locator(".chart .plot text[data-utc]").first.text_content()
        == moved(f"2026-01-01 {axis}", minutes=330)[11:16]
    )
    assert page.locator("th[data-zone]").first.text_content() == "Time (GMT+5:30)"
    assert [url for url in asked if "/assets/" not in url] == []
    page.reload()
    expect(page.locator(".foot time")).to_have_text(re.compile(r" GMT\+5:30$"))
    expect(page.locator("#zone")).to_have_attribute("aria-pressed", "true")
    page.locator("summary[title]").click()
    page.get_by_role("button", name="Local time").click()
    expect(page.locator(".foot time")).to_have_text(re.compile(" UTC$"))
    context.close()


def moved(text, minutes):
    return str(datetime.fromisoformat(text) + timedelta(minutes=minutes))


def test_local_times_stay_local_while_numbers_change(site, raw, browser):
    context = browser.new_context(timezone_id="America/New_York")
    page = context.new_page()
    page.add_init_script("localStorage.setItem('pillion.live', '2'); localStorage.setItem('pillion.zone', 'local')")
    raw.zadd("retry", {json.dumps({"class": "A", "args": [], "jid": "a", "queue": "default"}): time.time() + 60})
    page.goto(f"{site}/retries?view=list")
    rows = page.locator("tbody tr")
    shown = rows.first.locator("time[data-utc]")
    wanted = shown.evaluate("(one) => new Date(one.dataset.utc * 1000).toTimeString().slice(0, 5)")
    expect(shown).to_contain_text(wanted)
    raw.zadd("retry", {json.dumps({"class": "B", "args": [], "jid": "b", "queue": "default"}): time.time() + 600})
    expect(rows).to_have_count(2)
    expect(shown).to_contain_text(wanted)
    context.close()


WIDE = "[...document.querySelectorAll('.scroll, .rail')].filter((one) => one.scrollWidth > one.clientWidth).length"


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("width", [820, 1100])
def test_nothing_has_to_be_scrolled_sideways_on_a_small_desk(fleet, visit, width, locale):
    page = visit(fleet.site, width=width, locale=locale, allow=("404",))
    found = {}
    for path in PAGES:
        page.goto(fleet.site + path)
        found[path] = page.evaluate(WIDE)
    assert {path: count for path, count in found.items() if count} == {}
