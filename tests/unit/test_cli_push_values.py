"""How `pillion push` reads what was typed: arguments, times, options (requirement F016)."""

from __future__ import annotations

import pytest

from pillion.cli.push import make_item, read_argument, read_pair
from pillion.cli.times import read_duration, read_moment
from pillion.errors import ConfigError


class TestArgument:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("42", 42),
            ("-1.5", -1.5),
            ("true", True),
            ("null", None),
            ('{"a": [1]}', {"a": [1]}),
            ('"42"', "42"),
            ("123456789012345678901234567890", 123456789012345678901234567890),
        ],
    )
    def test_is_json_where_it_is_json(self, text, value):
        assert read_argument(text) == value

    @pytest.mark.parametrize("text", ["ann@example.org", "", "{", "True", "01", "NaN", "-Infinity", "[NaN]"])
    def test_is_text_otherwise(self, text):
        assert read_argument(text) == text


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("90", 90), ("5m", 300), ("1.5h", 5400), ("2d", 172_800), ("1w", 604_800), ("1h30m", 5400), ("0", 0)],
    )
    def test_reads(self, text, seconds):
        assert read_duration(text) == seconds

    @pytest.mark.parametrize("text", ["", "soon", "5 m", "-5m", "5x", "m", "5m!", "1h30", "90 5m", "905m3"])
    def test_refuses_with_an_example(self, text):
        with pytest.raises(ConfigError, match="--in: expected a length of time such as 90, 5m"):
            read_duration(text)


class TestMoment:
    @pytest.mark.parametrize(
        "text", ["2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "2026-01-01 00:00:00+00:00", "1767225600"]
    )
    def test_reads_one_moment_in_many_forms(self, text):
        assert read_moment(text) == 1767225600.0

    def test_reads_parts_of_a_second(self):
        assert read_moment("1767225600.5") == 1767225600.5

    @pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "2026-01-01"])
    def test_refuses_a_time_without_its_zone(self, text):
        with pytest.raises(ConfigError, match=r"Put Z \(UTC\) or an offset"):
            read_moment(text)

    @pytest.mark.parametrize("text", ["tomorrow", "", "17"])
    def test_refuses_what_is_no_time(self, text):
        with pytest.raises(ConfigError, match="such as 2026-01-01T00:00:00Z"):
            read_moment(text)


class TestPair:
    @pytest.mark.parametrize(
        ("text", "pair"),
        [("retry=5", ("retry", 5)), ("locale=de", ("locale", "de")), ("note=a=b", ("note", "a=b")), ("x=", ("x", ""))],
    )
    def test_reads(self, text, pair):
        assert read_pair(text) == pair

    @pytest.mark.parametrize("text", ["retry", "=5", ""])
    def test_refuses_what_is_no_pair(self, text):
        with pytest.raises(ConfigError, match="key=value"):
            read_pair(text)

    @pytest.mark.parametrize(("text", "instead"), [("queue=a", "--queue"), ("at=5", "--at"), ("class=X", "NAME")])
    def test_refuses_what_has_an_option_of_its_own(self, text, instead):
        with pytest.raises(ConfigError, match=f"Use {instead} for this"):
            read_pair(text)


class TestItem:
    def item(self, **changes):
        options = {"queue": None, "due_at_s": None, "pairs": [], "now_s": 1000.0, **changes}
        return make_item("shop.Order", ["42", "x"], **options)

    def test_has_class_and_args(self):
        assert self.item() == {"class": "shop.Order", "args": [42, "x"]}

    def test_has_queue_and_options(self):
        item = self.item(queue="high", pairs=[("retry", 5), ("jid", "a")])
        assert (item["queue"], item["retry"], item["jid"]) == ("high", 5, "a")

    def test_has_the_time_of_a_later_job(self):
        assert self.item(due_at_s=1000.5)["at"] == 1000.5

    def test_is_for_now_when_the_time_has_come(self):
        assert "at" not in self.item(due_at_s=1000.0)
