"""The tutorial does what it says: its commands are typed in their order, and what comes is what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_tutorial import Reader, like, steps_of

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PAGES = sorted(TUTORIAL.glob("[0-9]*.md"))


@pytest.fixture
def reader(short_tmp: Path) -> Iterator[Reader]:
    made = Reader(short_tmp)
    yield made
    made.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [TUTORIAL / "README.md", *PAGES], ids=lambda page: page.stem)
def test_a_reader_gets_what_the_page_shows(reader, page):
    reader.follow(page)


def test_each_page_leads_to_the_next():
    for page, following in zip([TUTORIAL / "README.md", *PAGES], PAGES, strict=False):
        assert f"]({following.name})" in page.read_text(), page.name


def test_each_link_leads_to_a_file():
    for page in TUTORIAL.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (TUTORIAL / link).exists(), f"{page.name}: {link}"


def test_a_page_that_shows_something_else_fails(reader, tmp_path):
    """The tests above can fail."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        reader.follow(page)
    assert not like("a\n...\nc", "a\nb\nd")
    assert [step.command for step in steps_of("```console\n$ a\nout\n^C\n```\n```sh\n$ no\n```\n")] == ["a", "^C"]
