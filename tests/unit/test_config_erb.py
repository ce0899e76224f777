"""ERB tags of a Ruby sidekiq.yml, read without Ruby (requirement F050)."""

from __future__ import annotations

import pytest

from pillion.errors import ConfigError
from pillion.settings.erb import render


def value(code: str, **environ: str) -> str:
    return render(f"<%= {code} %>", environ, "sidekiq.yml")


@pytest.mark.parametrize(
    ("code", "unset", "when_set"),
    [
        ('ENV.fetch("X") { 5 }', "5", "9"),
        ("ENV.fetch('X') { 5 }", "5", "9"),
        ('ENV.fetch("X", 5)', "5", "9"),
        ('ENV["X"] || 5', "5", "9"),
        ('ENV["X"]', "", "9"),
        ('ENV.fetch("X", "a b")', "a b", "9"),
        ('ENV.fetch("X", 5).to_i', "5", "9"),
        ('(ENV["X"] || 5).to_i', "5", "9"),
        ('Integer(ENV.fetch("X", "5"))', "5", "9"),
        ('ENV["X"].to_i', "0", "9"),
        ('ENV.fetch("X") { ENV.fetch("Y", 7) }', "7", "9"),
        ('ENV["X"].presence || 5', "5", "9"),
        ('ENV["X"] || nil || 3', "3", "9"),
        ('ENV["X"] || true', "true", "9"),
        ('ENV["X"] || 1.5', "1.5", "9"),
        ('ENV["X"] || :low', "low", "9"),
    ],
)
def test_reads_the_environment(code: str, unset: str, when_set: str):
    assert (value(code), value(code, X="9")) == (unset, when_set)


def test_converts_like_ruby():
    assert value('ENV["X"].to_i', X="12 threads") == "12"
    assert value('ENV["X"].to_f', X="1.5s") == "1.5"


def test_leaves_text_without_tags_as_it_is():
    assert render("a: 5 # 100 % sure\n", {}, "sidekiq.yml") == "a: 5 # 100 % sure\n"


def test_drops_a_comment():
    assert render("a: <%# why %>5", {}, "sidekiq.yml") == "a: 5"


def test_accepts_the_closing_dash():
    assert render('<%= ENV["X"] -%>', {"X": "1"}, "sidekiq.yml") == "1"


@pytest.mark.parametrize(
    "code",
    [
        "`rm -rf /`",
        "Rails.env",
        "5 * 2",
        'ENV["X"] ? 1 : 2',
        'ENV.fetch("X") { system("ls") }',
        '"#{ENV["X"]}"',
        'ENV["X"',
        "ENV[5]",
        "",
        "1 2",
    ],
)
def test_refuses_anything_else_by_its_text(code: str):
    with pytest.raises(ConfigError) as caught:
        value(code)
    assert repr(code) in str(caught.value) or code in str(caught.value)
    assert 'ENV.fetch("X", 5)' in str(caught.value)


@pytest.mark.parametrize("tag", ["<% if true %>", "<%- 5 %>", "<%% 5 %>"])
def test_refuses_a_tag_that_is_not_a_value(tag: str):
    with pytest.raises(ConfigError):
        render(tag, {}, "sidekiq.yml")


def test_names_the_line():
    with pytest.raises(ConfigError, match=r"^sidekiq\.yml, line 3: "):
        render("a: 1\nb: 2\nc: <%= Rails.env %>\n", {}, "sidekiq.yml")


def test_names_a_variable_that_must_be_set():
    with pytest.raises(ConfigError, match="the environment variable X to be set"):
        value('ENV.fetch("X")')


def test_names_the_value_that_is_no_whole_number():
    with pytest.raises(ConfigError, match="got 'many'"):
        value('Integer(ENV["X"])', X="many")
