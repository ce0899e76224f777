"""Every page in every language, with lively, empty and hostile values: what comes out is HTML, and ours."""

import re
from html.parser import HTMLParser

import pytest
from web_sample_pieces import NOW_S
from web_samples import VIEWS, poisoned, poisoned_scope, scope

from pillion.web.locale import Locales
from pillion.web.templating import Templates

LOCALES = Locales.load()
TEMPLATES = Templates()
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "</title></textarea></script><svg/onload=alert(1)>",
    "<iframe srcdoc='<b>'></iframe><form action=//evil.example>",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "&lt;script&gt;&#x3c;b&#62;",
    "\u2028\u2029</script><!--",
)
HOSTILE = ("".join(MARKUP), "javascript:alert(1)", "a" * 3000)
VOID = {"meta", "link", "input", "br", "hr", "use", "path", "circle", "rect", "line"}


def render(view, page_scope=None, *, page=None, code="en", fragment=False):
    template, make = VIEWS[view]
    return TEMPLATES.render(
        template,
        page=make() if page is None else page,
        scope=page_scope or scope(template, locale=code),
        locale=LOCALES.by_code[code],
        languages=LOCALES.by_code,
        now_s=NOW_S,
        fragment=fragment,
    )


class Reader(HTMLParser):
    """What elements and attributes a page has, and whether each is closed."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.links, self.open, self.wrong = set(), set(), [], [], []
        self.ids, self.scripts, self.labels = [], 0, 0

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.scripts += tag == "script"
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "action", "formaction", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def render_poisoned(view, text):
    template, make = VIEWS[view]
    return read(render(view, poisoned_scope(template, text), page=poisoned(make(), text)))


ORDINARY = [read(render(view)) for view in VIEWS] + [render_poisoned(view, "harmless") for view in VIEWS]
ELEMENTS = set().union(*(reader.elements for reader in ORDINARY))
ATTRIBUTES = set().union(*(reader.attributes for reader in ORDINARY))


@pytest.mark.parametrize("code", LOCALES.by_code)
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_is_whole_in_every_language(view, code):
    reader = read(render(view, code=code))
    assert (reader.wrong, reader.open) == ([], [])


@pytest.mark.parametrize("view", VIEWS)
def test_no_id_is_there_twice(view):
    ids = read(render(view)).ids
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_has_a_title_one_heading_and_one_main(view):
    html = render(view)
    counts = [len(re.findall(pattern, html)) for pattern in ("<title>[^<]+ – pillion</title>", "<h1[ >]", "<main[ >]")]
    assert counts == [1, 1, 1]


@pytest.mark.parametrize("view", VIEWS)
def test_a_fragment_is_the_main_of_the_page_alone(view):
    fragment = render(view, fragment=True).strip()
    assert fragment.startswith("<main")
    assert fragment.endswith("</main>")
    assert fragment in render(view)


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_is_below_100_kb(view):
    assert len(render(view).encode()) < 100_000


def test_no_page_has_an_inline_style_or_handler():
    assert [name for name in ATTRIBUTES if name == "style" or name.startswith("on")] == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:16])
@pytest.mark.parametrize("view", VIEWS)
def test_hostile_texts_in_every_field_stay_texts(view, text):
    reader = render_poisoned(view, text)
    assert reader.elements <= ELEMENTS
    assert reader.attributes <= ATTRIBUTES
    assert (reader.wrong, reader.open, reader.scripts) == ([], [], 2)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:16])
@pytest.mark.parametrize("view", VIEWS)
def test_no_link_leads_elsewhere_whatever_names_say(view, text):
    links = render_poisoned(view, text).links
    assert [link for link in links if not re.match(r"/jobs(/|$)|#", link)] == []


WRITES = re.compile(r'<form[^>]*method="post"[^>]*action="([^"?]*)|formaction="([^"?]*)')


# Nobody gets to a confirmation who may not do what it asks about.
@pytest.mark.parametrize("view", [view for view in VIEWS if not view.startswith("confirm")])
def test_a_viewer_sees_no_button_that_changes_something(view):
    html = render(view, scope(VIEWS[view][0], role="viewer"))
    targets = {first or second for first, second in WRITES.findall(html)}
    assert targets <= {"/jobs/preferences"}


def test_a_stranger_sees_an_error_without_a_frame_full_of_links():
    html = render("error_forbidden", scope("error", role=None, who="", counts=None))
    assert 'href="/jobs/retries"' not in html


def test_right_to_left_is_said_once_at_the_root():
    assert '<html lang="ar" dir="rtl"' in render("retries_list", code="ar")


def test_the_chosen_colours_and_heights_are_at_the_root():
    html = render("queues", scope("queues", theme="dark", compact=True))
    assert 'data-theme="dark" data-compact>' in html


def test_a_flash_offers_to_undo():
    html = render("retries", poisoned_scope("retries", "u1"))
    assert 'action="/jobs/undo/u1/restore"' in html
