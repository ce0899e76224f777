"""The tutorial does what it says: its commands are typed in their order, and what comes is what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_tutorial import MAKES_NEW, Reader, like, parts_of, steps_of

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PAGES = sorted(TUTORIAL.glob("[0-9]*.md"))
ALL = [TUTORIAL / "README.md", *PAGES]
PARTS = [
    pytest.param(page, part, id=f"{page.stem}-{number}")
    for page in ALL
    for number, part in enumerate(parts_of(page.read_text()), 1)
]


@pytest.fixture
def reader(short_tmp: Path) -> Iterator[Reader]:
    made = Reader(short_tmp)
    yield made
    made.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("page", "part"), PARTS)
def test_a_reader_gets_what_the_page_shows(reader, page, part):
    reader.follow(part, page.name)


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_the_parts_of_a_page_are_all_of_it(page):
    text = page.read_text()
    assert [step for part in parts_of(text) for step in part.steps] == steps_of(text) != []


def test_a_part_begins_where_the_shop_is_made_new_and_knows_what_still_counts():
    new = "$ python -m shop setup\n$ python -m shop reset\n"
    typed = f"$ cd a\n$ make shop\n{new}$ one\n{new}$ two\n^C\n$ sed -i x\n$ make shop STAGE=2\n{new}$ three\n^C\n"
    parts = parts_of(f"```console\n{typed}```\n")
    first, second, third = [
        ([step.command for step in part.before], [step.command for step in part.steps]) for part in parts
    ]
    assert first == ([], ["cd a", "make shop", *MAKES_NEW, "one"])
    assert second == (["cd a", "make shop"], [*MAKES_NEW, "two", "^C", "sed -i x"])
    assert third == (["cd a", "sed -i x"], ["make shop STAGE=2", *MAKES_NEW, "three", "^C"])


def test_each_page_leads_to_the_next():
    for page, following in zip(ALL, PAGES, strict=False):
        assert f"]({following.name})" in page.read_text(), page.name


def test_each_link_leads_to_a_file():
    for page in TUTORIAL.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (TUTORIAL / link).exists(), f"{page.name}: {link}"


def test_a_page_that_shows_something_else_fails(reader):
    """The tests above can fail."""
    [part] = parts_of("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        reader.follow(part, "page.md")
    assert not like("a\n...\nc", "a\nb\nd")
    assert [step.command for step in steps_of("```console\n$ a\nout\n^C\n```\n```sh\n$ no\n```\n")] == ["a", "^C"]
