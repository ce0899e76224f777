"""Every page in every guise: light and dark, left to right and back, phone to desk, with script and without."""

import importlib.util
from pathlib import Path

import pytest

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
