"""`pillion lint` as it is called: which files, which rules, which form, which exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pillion.cli.lint.check import check_text
from pillion.cli.lint.command import CODES
from pillion.cli.main import main

GUIDE = Path(__file__).parents[2] / "docs/guides/lint.md"
BAD_NAME = "class Order(Job):\n    pass\n"
CLEAN = "class OrderJob(Job):\n    def perform(self, order_id): ...\n"


@pytest.fixture
def lint(tmp_path, monkeypatch, capsys):
    """Call the command in an empty folder: exit code, lines of the report, what else it says."""
    monkeypatch.chdir(tmp_path)

    def call(*argv: str):
        with pytest.raises(SystemExit) as caught:
            main(["lint", *argv])
        out, err = capsys.readouterr()
        return caught.value.code, out.splitlines(), err

    return call


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


class TestReport:
    def test_a_finding_is_a_line_and_exit_1(self, lint):
        write("shop/jobs.py", BAD_NAME)
        code, [line], err = lint("shop/jobs.py")
        assert code == 1
        assert line.startswith("shop/jobs.py:1:1 PL-NAME Order is a job class")
        assert err == "1 problem in 1 file.\n"

    def test_nothing_found_is_exit_0(self, lint):
        write("jobs.py", CLEAN)
        assert lint("jobs.py") == (0, [], "No problem in 1 file.\n")

    def test_no_files_at_all_is_said(self, lint):
        assert lint() == (0, [], "There are no Python files here, so nothing was checked.\n")

    def test_json_has_the_parts(self, lint):
        write("jobs.py", BAD_NAME)
        code, lines, _ = lint("jobs.py", "--format", "json")
        [finding] = json.loads("\n".join(lines))
        assert (code, finding.pop("message").startswith("Order is")) == (1, True)
        assert finding == {"path": "jobs.py", "line": 1, "column": 1, "code": "PL-NAME"}

    def test_json_of_nothing_is_an_empty_list(self, lint):
        assert lint("--format", "json")[:2] == (0, ["[]"])

    def test_help_names_every_rule(self, lint):
        code, lines, _ = lint("-h")
        assert code == 0
        assert [rule for rule in CODES if not any(line.startswith(f"    {rule} ") for line in lines)] == []


class TestFiles:
    def test_a_folder_is_walked_without_what_is_not_the_app_s(self, lint):
        for path in [
            "b.py",
            "a/jobs.py",
            ".venv/x.py",
            "env/x.py",
            "__pycache__/x.py",
            "node_modules/x.py",
            "a/notes.txt",
        ]:
            write(path, BAD_NAME)
        write("env/pyvenv.cfg", "")
        assert [line.split(":")[0] for line in lint()[1]] == ["b.py", "a/jobs.py"]

    def test_a_file_named_twice_is_checked_once(self, lint):
        write("a/jobs.py", BAD_NAME)
        assert [line.split(":")[0] for line in lint("a/jobs.py", "a")[1]] == ["a/jobs.py"]

    def test_a_path_that_is_not_there_is_a_usage_error(self, lint):
        assert lint("nowhere.py")[0] == 2

    def test_a_syntax_error_is_reported_and_the_others_are_still_checked(self, lint):
        write("a.py", "def (:\n")
        write("b.py", BAD_NAME)
        code, lines, _ = lint()
        assert code == 1
        assert [line.split()[:2] for line in lines] == [["a.py:1:5", "PL-SYNTAX"], ["b.py:1:1", "PL-NAME"]]

    def test_a_file_of_another_encoding_is_read_as_it_says(self, lint, tmp_path):
        (tmp_path / "jobs.py").write_bytes("# coding: latin-1\nclass Prüfung(Job): pass\n".encode("latin-1"))
        assert "Prüfung is a job class" in lint("jobs.py")[1][0]

    @pytest.mark.parametrize("raw", [b"x = '\xff'\n", b"# coding: nonsense\n"])
    def test_a_file_that_cannot_be_decoded_is_reported(self, lint, tmp_path, raw):
        (tmp_path / "jobs.py").write_bytes(raw)
        code, [line], _ = lint("jobs.py")
        assert (code, line.startswith("jobs.py:1:1 PL-SYNTAX this file cannot be read")) == (1, True)

    def test_files_are_never_imported(self, lint, tmp_path):
        write("jobs.py", "from pathlib import Path\nPath('was_run').touch()\n" + BAD_NAME)
        lint("jobs.py")
        assert not (tmp_path / "was_run").exists()


class TestChoice:
    SOURCE = "class Order(Job):\n    x = []\n    def perform(self, email): ...\n"

    def codes(self, lint, *argv):
        write("jobs.py", self.SOURCE)
        code, lines, _ = lint("jobs.py", *argv)
        return code, [line.split()[1] for line in lines]

    def test_all_rules_without_one(self, lint):
        assert self.codes(lint) == (1, ["PL-NAME", "PL-PERFORM", "PL-REF"])

    def test_select(self, lint):
        assert self.codes(lint, "--select", "PL-REF,PL-LIST") == (1, ["PL-REF"])

    def test_select_can_be_repeated(self, lint):
        assert self.codes(lint, "--select", "PL-REF", "--select", "PL-NAME") == (1, ["PL-NAME", "PL-REF"])

    def test_ignore(self, lint):
        assert self.codes(lint, "--ignore", "PL-REF, PL-NAME") == (1, ["PL-PERFORM"])

    def test_ignore_goes_over_select(self, lint):
        assert self.codes(lint, "--select", "PL-REF", "--ignore", "PL-REF") == (0, [])

    def test_a_file_that_cannot_be_parsed_fails_whatever_is_selected(self, lint):
        write("broken.py", "def (:\n")
        assert lint("--select", "PL-REF")[0] == 1

    def test_unless_that_is_ignored(self, lint):
        write("broken.py", "def (:\n")
        assert lint("--ignore", "PL-SYNTAX")[0] == 0

    def test_a_disable_without_reason_fails_whatever_is_selected(self, lint):
        write("jobs.py", "class Order(Job):  # pillion: disable=PL-NAME\n    pass\n")
        assert lint("jobs.py", "--select", "PL-NAME")[0] == 1

    @pytest.mark.parametrize("flag", ["--select", "--ignore"])
    def test_an_unknown_rule_is_a_usage_error_with_the_nearest(self, lint, flag):
        code, _, err = lint(flag, "PL-NAMES")
        assert (code, "Did you mean PL-NAME?" in err) == (2, True)


class TestGuide:
    def test_has_a_section_for_each_rule(self):
        assert re.findall(r"^### (PL-\w+)", GUIDE.read_text(), re.MULTILINE) == list(CODES)

    def test_its_examples_are_found_where_it_says_so(self):
        for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL):
            said = [
                (number, code)
                for number, line in enumerate(block.splitlines(), 1)
                for code in re.findall(r"# <- (PL-\w+)", line)
            ]
            assert [(finding.line, finding.code) for finding in check_text("guide", block, frozenset(CODES))] == said
