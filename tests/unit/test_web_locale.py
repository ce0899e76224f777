"""Languages: which one a request gets, plural forms, and that none lacks a text."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from pillion.web import locale as module
from pillion.web.errors import STATUS
from pillion.web.locale import PLURAL_FORMS, Locales
from pillion.web.routes import ACTIONS

LOCALES = Locales.load()
EN = LOCALES.by_code["en"]
TEMPLATES = Path(module.__file__).parent / "templates"
CODES = ["en", "de", "es", "fr", "ja", "zh", "ar"]


def placeholders(text):
    return set(re.findall(r"\{(\w+)\}", text))


def forms(text):
    return [text] if isinstance(text, str) else [form for name, form in text.items() if name != "by"]


def test_these_languages_are_there():
    assert sorted(LOCALES.by_code) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_language_has_every_text_and_no_other(code):
    assert set(LOCALES.by_code[code].texts) == set(EN.texts)


@pytest.mark.parametrize("code", CODES)
def test_placeholders_of_a_translation_are_those_of_the_english_text(code):
    odd = []
    for key, text in LOCALES.by_code[code].texts.items():
        wanted = set().union(*map(placeholders, forms(EN.texts[key])))
        shown = [placeholders(form) for form in forms(text)]
        if not all(one <= wanted for one in shown) or shown[-1] != wanted:
            odd.append(key)
    assert odd == []


@pytest.mark.parametrize("code", CODES)
def test_plural_texts_have_the_forms_of_their_language(code):
    locale = LOCALES.by_code[code]
    wrong = [
        key
        for key, text in locale.texts.items()
        if isinstance(text, str) != isinstance(EN.texts[key], str)
        or (not isinstance(text, str) and set(text) - {"by"} != PLURAL_FORMS[locale.plural])
    ]
    assert wrong == []


@pytest.mark.parametrize("code", CODES)
def test_no_text_is_empty_or_has_markup(code):
    texts = LOCALES.by_code[code].texts
    assert [
        key for key, text in texts.items() for form in forms(text) if not form.strip() or re.search(r"<[a-z/]", form)
    ] == []


def test_every_text_that_a_template_asks_for_is_there():
    source = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    asked = set(re.findall(r'\bt\(\s*"([a-z0-9_.]+)"\s*[,)]', source))
    assert len(asked) > 200
    assert sorted(asked - set(EN.texts)) == []


def test_every_name_that_is_put_together_has_its_text():
    names = [f"action.{action.name}" for action in ACTIONS]
    names += [f"confirm.do.{action.name}" for action in ACTIONS if action.confirm]
    names += [f"error.{kind}.{part}" for kind in STATUS for part in ("title", "text")]
    names += [
        f"state.{name}" for name in ("scheduled", "enqueued", "running", "retrying", "dead", "held", "paused", "quiet")
    ]
    names += [f"verdict.{level}" for level in ("ok", "warn", "fail")]
    names += [f"vital.{name}" for name in ("throughput", "failures", "oldest_wait", "used_slots")]
    names += [f"measure.{name}{end}" for name in ("total", "runs", "failures", "average") for end in ("", ".title")]
    names += [f"bulk.state.{name}" for name in ("running", "stalled", "done", "stopped", "failed")]
    names += [f"role.{name}" for name in ("viewer", "operator", "admin")]
    names += [f"flash.{code}" for code in ("done", "nothing", "partly", "refused", "started", "failed")]
    assert [name for name in names if not EN.has(name)] == []


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (0, "zero"),
        (1, "one"),
        (2, "two"),
        (3, "few"),
        (10, "few"),
        (11, "many"),
        (99, "many"),
        (100, "other"),
        (103, "few"),
        (1.5, "other"),
    ],
)
def test_arabic_has_six_forms(number, form):
    assert module.PLURALS["arabic"](number) == form


@pytest.mark.parametrize(
    ("code", "words"), [("en", "0 jobs"), ("fr", "0 tâche"), ("ja", "0 件のジョブ"), ("ar", "لا مهام")]
)
def test_nothing_is_counted_as_each_language_does(code, words):
    assert LOCALES.by_code[code]("jobs.n", n=0) == words


def test_a_number_in_a_text_is_written_as_the_language_does():
    assert [LOCALES.by_code[code]("jobs.n", n=12_480) for code in ("en", "de")] == ["12,480 jobs", "12.480 Jobs"]


def test_a_value_is_never_read_as_a_format():
    assert EN("trend.of", name="{n} {0.__class__} %s") == "Trend of {n} {0.__class__} %s"


@given(st.text())
def test_markup_in_a_text_leaves_every_other_value_escaped(value):
    text = EN("chart.about", n=2, since=Markup("<b>x</b>"), until=value)
    assert text == Markup("2 lines, from <b>x</b> to ") + escape(value) + " UTC."


def test_a_text_that_does_not_exist_is_an_error_and_not_a_hole():
    with pytest.raises(KeyError, match=r"no text 'no\.such\.key' in en\.json"):
        EN("no.such.key")


def test_what_data_asks_for_falls_back_to_its_own_words():
    assert EN.say("reason.unheard_of", {}, "As it is.") == "As it is."
    assert EN.say("reason.redis_clients", {"clients": 5}, "As it is.") == "As it is."


@pytest.mark.parametrize(
    ("wanted", "header", "code"),
    [
        ("", "", "en"),
        ("de", "fr", "de"),
        ("", "fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("", "tlh, de;q=0.2, ar;q=0.7", "ar"),
        ("", "de;q=0, en", "en"),
        ("xx", "zh-Hant-TW", "zh"),
        ("../../etc/passwd", "*", "en"),
        ("", "de;q=zzz, ja", "ja"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_best_of_the_browser(wanted, header, code):
    assert LOCALES.choose(wanted, header).code == code


@given(st.text(), st.text())
def test_whatever_a_browser_sends_gives_a_language(wanted, header):
    assert LOCALES.choose(wanted, header).code in CODES
