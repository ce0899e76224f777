"""What `pillion lint` finds in a file, and what it lets pass. Each rule both ways."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pillion.cli.lint.check import check_text
from pillion.cli.lint.command import CODES


def findings(source: str):
    return check_text("jobs.py", dedent(source).lstrip("\n"), frozenset(CODES))


def found(source: str) -> list[str]:
    """The findings of a source, as "line code"."""
    return [f"{finding.line} {finding.code}" for finding in findings(source)]


def perform(parameters: str, name: str = "OrderJob", base: str = "Job") -> str:
    return f"class {name}({base}):\n    def perform(self, {parameters}) -> None: ...\n"


class TestWhatIsAJob:
    @pytest.mark.parametrize(
        "base", ["Job", "Worker", "pillion.Job", "ApplicationJob", "shop.base.MailJob", "Mixin, Job", "Job[int]"]
    )
    def test_a_class_whose_base_is_called_a_job(self, base):
        assert found(perform("email", base=base)) == ["2 PL-REF"]

    @pytest.mark.parametrize("base", ["object", "Model", "JobStore", "threading.Thread", "make_job()"])
    def test_not_a_class_with_another_base(self, base):
        assert found(perform("email", base=base)) == []

    def test_a_class_based_on_a_job_of_the_same_file(self):
        assert found(perform("order_id", "Order") + perform("email", "FastOrderJob", "Order")) == [
            "1 PL-NAME",
            "4 PL-REF",
        ]

    @pytest.mark.parametrize("bases", ["", "(ValueError)", "(ABC)", "(BatchError, TypeError)"])
    def test_not_a_class_based_on_one_that_is_only_called_a_job(self, bases):
        assert found(f"class LostJob{bases}: ...\nclass Deleted(LostJob): ...\n") == []

    def test_not_an_error_based_on_our_invalid_job(self):
        assert found("class BadList(InvalidJob): ...\n") == []

    @pytest.mark.parametrize(
        "decorator", ["job", "job(queue='low')", "pillion.job", "pillion.job(retry=3)", "p.job", "task"]
    )
    def test_a_decorated_function(self, decorator):
        source = f"import pillion as p\nfrom pillion import job as task\n@{decorator}\nasync def send(email): ...\n"
        assert found(source) == ["4 PL-REF"]

    @pytest.mark.parametrize("decorator", ["scheduler.job", "task", "cached"])
    def test_not_a_function_decorated_otherwise(self, decorator):
        assert found(f"@{decorator}\ndef send(email): ...\n") == []

    def test_a_renamed_import_is_seen_through(self):
        assert found("from pillion import Job as Base\n" + perform("email", base="Base")) == ["3 PL-REF"]


class TestReferences:
    def test_the_four_values_of_the_talk_are_reported(self):
        [finding] = findings(perform("email, name, subject, body", "SendMailJob"))
        assert str(finding) == (
            "jobs.py:2:5 PL-REF SendMailJob.perform(email, name, subject, body) takes 4 arguments:"
            " pass the id of the record, and read the rest in the job."
        )

    def test_the_id_instead_of_them_passes(self):
        assert found(perform("mail_id: int", "SendMailJob")) == []

    def test_three_arguments_pass(self):
        assert found(perform("a, b, c=3")) == []

    def test_four_arguments_are_reported_also_with_defaults(self):
        assert found(perform("a, b, c=3, d=4")) == ["2 PL-REF"]

    @pytest.mark.parametrize("name", ["email", "name", "body", "text", "html", "address", "password", "token"])
    def test_a_value_is_reported(self, name):
        [finding] = findings(perform(f"order_id, {name}"))
        assert (finding.code, f"takes {name}," in finding.message) == ("PL-REF", True)
        assert "pass the id" in finding.message

    @pytest.mark.parametrize("name", ["user_email", "billing_address", "first_name", "api_token"])
    def test_a_value_with_more_words_is_reported(self, name):
        assert found(perform(name)) == ["2 PL-REF"]

    @pytest.mark.parametrize("name", ["email_id", "address_id", "queue_name", "context", "tokenizer", "note"])
    def test_a_name_that_only_resembles_a_value_passes(self, name):
        assert found(perform(name)) == []

    def test_self_does_not_count_and_a_static_perform_has_none(self):
        source = "class OrderJob(Job):\n    @staticmethod\n    def perform(a, b, c{}): ...\n"
        assert (found(source.format("")), found(source.format(", d"))) == ([], ["3 PL-REF"])

    def test_the_last_of_several_performs_counts(self):
        source = (
            "class OrderJob(Job):\n    @overload\n    def perform(self, email): ...\n    def perform(self, id): ...\n"
        )
        assert found(source) == []

    def test_other_methods_may_take_what_they_like(self):
        assert found("class OrderJob(Job):\n    def send(self, a, b, c, email): ...\n") == []


class TestNames:
    def test_a_class_without_the_suffix_is_reported_with_a_better_name(self):
        [finding] = findings(perform("order_id", "CompleteOrder"))
        assert (finding.line, finding.column, finding.code) == (1, 1, "PL-NAME")
        assert "for example CompleteOrderJob" in finding.message

    def test_worker_is_replaced_not_kept(self):
        [finding] = findings(perform("order_id", "OrderWorker", "Worker"))
        assert "for example OrderJob." in finding.message

    def test_a_class_with_the_suffix_passes(self):
        assert found(perform("order_id", "CompleteOrderJob")) == []

    def test_a_function_needs_none(self):
        assert found("@job\ndef complete_order(order_id): ...\n") == []


class TestLists:
    @pytest.mark.parametrize(
        "annotation",
        ["list[int]", "list", "Sequence[int]", "typing.List[int]", "list[int] | None", "Optional[list[int]]",
         "Annotated[list[int], 'ids']", "'list[int]'"],
    )  # fmt: skip
    def test_a_list_of_ids_is_reported_where_it_stands(self, annotation):
        [finding] = findings(perform(f"product_ids: {annotation}"))
        assert (finding.line, finding.column, finding.code) == (2, 23, "PL-LIST")
        assert "perform_bulk" in finding.message

    def test_ids_alone_is_a_name_of_one_too(self):
        assert found("@job\ndef reindex(ids: list[int]): ...\n") == ["2 PL-LIST"]

    @pytest.mark.parametrize(
        "parameter", ["product_id: int", "product_ids: str", "ids", "weights: list[float]", "ids: '['"]
    )
    def test_anything_else_passes(self, parameter):
        assert found(perform(parameter)) == []

    def test_columns_count_characters(self):
        [finding] = findings("@job\ndef prüfe(größe_id, ids: list[int]): ...\n")
        assert finding.column == len("def prüfe(größe_id, ") + 1


class TestSharedState:
    @pytest.mark.parametrize(
        "value", ["[]", "{}", "set()", "{1}", "dict(a=1)", "[n for n in x]", "collections.defaultdict(list)", "deque()"]
    )
    def test_an_attribute_that_can_change_is_reported(self, value):
        assert found(f"class OrderJob(Job):\n    seen = {value}\n") == ["2 PL-PERFORM"]

    def test_an_annotation_does_not_help(self):
        [finding] = findings("class OrderJob(Job):\n    seen: ClassVar[list[int]] = []\n")
        assert finding.message.startswith("OrderJob.seen can be changed")

    @pytest.mark.parametrize(
        "line",
        [
            "states = ('new', 'paid')",
            "states = frozenset({'new'})",
            "limit = 3",
            "seen: list[int]",
            "__slots__ = ['a']",
        ],
    )
    def test_what_cannot_change_passes(self, line):
        assert found(f"class OrderJob(Job):\n    {line}\n") == []

    def test_a_list_made_in_perform_passes(self):
        assert found("class OrderJob(Job):\n    def perform(self):\n        seen = []\n") == []

    def test_a_class_that_is_no_job_may_have_one(self):
        assert found("class Cache:\n    seen = {}\n") == []


class TestFilesThatCannotBeRead:
    def test_a_syntax_error_is_reported_at_its_place(self):
        [finding] = findings("x = 1\ndef (:\n")
        assert (finding.line, finding.column, finding.code) == (2, 5, "PL-SYNTAX")

    @pytest.mark.parametrize("source", ["x = '\0'", "(" * 5000, "def f():\n        a\n    b\n", "'''"])
    def test_nothing_stops_the_linter(self, source):
        assert [finding.code for finding in check_text("jobs.py", source, frozenset(CODES))] == ["PL-SYNTAX"]

    def test_warnings_of_the_parser_are_not_its_business(self):
        assert found('x = "\\d"\n') == []

    def test_an_empty_file_is_fine(self):
        assert found("") == []
