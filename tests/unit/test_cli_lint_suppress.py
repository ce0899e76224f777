"""Comments that switch a lint rule off: only with a reason, and only as far as they reach."""

from __future__ import annotations

import pytest

from pillion.cli.lint.check import check_text
from pillion.cli.lint.command import CODES

WHY = "because the wire name is Ruby's"


def found(source: str) -> list[str]:
    return [f"{finding.line} {finding.code}" for finding in check_text("jobs.py", source, frozenset(CODES))]


class TestWithAReason:
    def test_it_switches_the_rule_off_on_its_line(self):
        assert found(f"class Order(Job):  # pillion: disable=PL-NAME {WHY}\n    pass\n") == []

    def test_it_leaves_other_rules_on(self):
        source = f"class Order(Job):  # pillion: disable=PL-NAME {WHY}\n    def perform(self, email): ...\n"
        assert found(source) == ["2 PL-REF"]

    def test_several_codes_can_share_a_reason(self):
        source = f"class Order(Job):  # pillion: disable=PL-NAME, PL-REF {WHY}\n    def perform(self, email): ...\n"
        assert found(source) == []

    def test_on_the_class_line_it_counts_for_the_whole_class(self):
        source = (
            f"class OrderJob(Job):  # pillion: disable=PL-REF {WHY}\n    x = 1\n    def perform(self, email): ...\n"
        )
        assert found(source) == []

    def test_and_not_for_the_next_class(self):
        head = f"class A(Job):  # pillion: disable=PL-NAME {WHY}\n    pass\n"
        assert found(head + "class B(Job):\n    pass\n") == ["3 PL-NAME"]

    def test_on_a_method_it_does_not_count_for_the_rest_of_the_class(self):
        source = f"class OrderJob(Job):\n    def perform(self): ...  # pillion: disable=PL-PERFORM {WHY}\n    x = []\n"
        assert found(source) == ["3 PL-PERFORM"]

    @pytest.mark.parametrize("line", [0, 1, 2])
    def test_any_line_of_a_statement_will_do(self, line):
        lines = ["    x = [", "        1,", "    ]"]
        lines[line] += f"  # pillion: disable=PL-PERFORM {WHY}"
        assert found("\n".join(["class OrderJob(Job):", *lines, ""])) == []

    @pytest.mark.parametrize("line", [0, 1, 2, 3])
    def test_any_line_of_a_function_s_head_will_do(self, line):
        lines = ["@job(queue='low')", "def send(", "    email,", "):"]
        lines[line] += f"  # pillion: disable=PL-REF {WHY}"
        assert found("\n".join([*lines, "    pass", ""])) == []

    def test_it_lives_beside_other_comments(self):
        source = f"class Order(Job):  # type: ignore # pillion: disable=PL-NAME {WHY} # noqa: E501\n    pass\n"
        assert found(source) == []


class TestWithoutAReason:
    @pytest.mark.parametrize(
        "comment",
        ["disable=PL-NAME", "disable=PL-NAME because", "disable=PL-NAME because ...", "disable=PL-NAME too old",
         "disable", "disable because I say so", "disable=PL-NAME because # noqa: E501"],
    )  # fmt: skip
    def test_it_disables_nothing_and_is_reported_itself(self, comment):
        assert found(f"class Order(Job):  # pillion: {comment}\n    pass\n") == ["1 PL-NAME", "1 PL-REASON"]

    def test_the_report_points_at_the_comment_and_says_what_to_write(self):
        source = "x = 1  # pillion: disable=PL-NAME\n"
        [finding] = check_text("jobs.py", source, frozenset(CODES))
        assert finding.column == source.index("#") + 1
        assert "# pillion: disable=PL-NAME because" in finding.message

    def test_it_cannot_be_switched_off_by_a_comment(self):
        source = f"x = 1  # pillion: disable=PL-NAME # pillion: disable=PL-REASON {WHY}\n"
        assert found(source) == ["1 PL-REASON"]

    def test_text_in_a_string_is_no_comment(self):
        assert found('x = "# pillion: disable=PL-NAME"\n') == []


class TestNoqa:
    @pytest.mark.parametrize("comment", ["noqa: PL-NAME", "NOQA: PL-NAME", "noqa: E501, PL-NAME", "noqa:PL-NAME"])
    def test_with_the_code_it_switches_the_rule_off_on_its_line(self, comment):
        assert found(f"class Order(Job):  # {comment}\n    pass\n") == []

    @pytest.mark.parametrize("comment", ["noqa", "noqa: E501", "noqa: E501 not PL-NAME"])
    def test_without_the_code_it_does_nothing(self, comment):
        assert found(f"class Order(Job):  # {comment}\n    pass\n") == ["1 PL-NAME"]

    def test_it_never_counts_for_a_whole_class(self):
        assert found("class OrderJob(Job):  # noqa: PL-REF\n    def perform(self, email): ...\n") == ["2 PL-REF"]
