"""Style and script: small, self-contained, and within what the content security policy allows."""

import re
from pathlib import Path

import pytest

from pillion.web import locale

FOLDER = Path(locale.__file__).parent
SCRIPT = (FOLDER / "assets" / "app.js").read_text()
STYLE = (FOLDER / "assets" / "style.css").read_text()
TEMPLATES = sorted((FOLDER / "templates").rglob("*.html"))
# Colours of 4.2: role to light and dark. Text on a surface needs 4.5 to 1 (WCAG AA).
TEXT_COLOURS = ("text", "muted", "link", "ok", "warn", "fail", "dead")


def tokens():
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)", STYLE)
    return {name: (light, dark) for name, light, dark in found}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(letter * 2 for letter in colour[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_script_is_below_15_kb():
    assert len(SCRIPT.encode()) < 15_000


def test_the_style_is_below_36_kb():
    assert len(STYLE.encode()) < 36_000


@pytest.mark.parametrize(
    "word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", 'setTimeout("']
)
def test_the_script_uses_nothing_that_trusted_types_forbid(word):
    assert word not in SCRIPT


def test_the_script_makes_one_policy_of_the_name_that_the_header_allows():
    assert re.findall(r'createPolicy\("(\w+)"', SCRIPT) == ["pillion"]


def test_the_script_writes_nothing_where_it_could_be_stolen():
    assert "document.cookie" not in SCRIPT


@pytest.mark.parametrize(
    "path", [*TEMPLATES, FOLDER / "assets" / "style.css", FOLDER / "assets" / "app.js"], ids=lambda path: path.name
)
def test_nothing_comes_from_elsewhere(path):
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_inline_style_or_handler_and_trust_no_text(path):
    source = path.read_text()
    assert re.findall(r"\sstyle=|\son[a-z]+=|<style|\|\s*safe\b|autoescape", source) == []


def test_the_only_scripts_are_the_module_and_the_words_for_it():
    scripts = [tag for path in TEMPLATES for tag in re.findall(r"<script[^>]*>", path.read_text())]
    assert sorted(re.findall(r'type="([^"]+)"', "".join(scripts))) == ["application/json", "module"]


@pytest.mark.parametrize("ground", ["surface", "bg", "sunken", "hover", "ticked"])
@pytest.mark.parametrize("name", TEXT_COLOURS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(name, ground, dark):
    colours = tokens()
    assert contrast(colours[name][dark], colours[ground][dark]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_edge_of_a_field_can_be_seen(dark):
    colours = tokens()
    assert contrast(colours["control"][dark], colours["surface"][dark]) >= 3


def test_directions_are_logical_except_where_code_is_left_to_right_in_every_language():
    physical = re.findall(
        r"(?<![\w-])(?:margin|padding|border)-(?:left|right)|float:|text-align: (?:left|right)", STYLE
    )
    assert set(physical) <= {"text-align: left"}


@pytest.mark.parametrize(
    "query", ["prefers-reduced-motion", "forced-colors", "print", "max-width: 639px", "min-width: 1100px", ":dir(rtl)"]
)
def test_the_style_knows_these_circumstances(query):
    assert query in STYLE


def test_every_icon_that_is_used_is_drawn():
    drawn = set(re.findall(r'<symbol id="i-(\w+)"', (FOLDER / "templates" / "macros" / "sprite.html").read_text()))
    source = "".join(path.read_text() for path in TEMPLATES)
    used = set(re.findall(r'icon\("(\w+)"', source)) | set(re.findall(r'glyph="(\w+)"', source))
    assert used - drawn == set()
