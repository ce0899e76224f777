"""`pillion generate job`: the files it writes, what they do at first, and what it refuses (F045, F046)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from worker_process import clean_environment

from pillion.cli.generate.names import read_name
from pillion.cli.main import command
from pillion.errors import ConfigError, PillionError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generate(*words: str) -> str:
    """What it prints."""
    result = CliRunner().invoke(command, ["generate", "job", *words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refusal(*words: str) -> str:
    """The words with which it refuses."""
    result = CliRunner().invoke(command, ["generate", "job", *words])
    assert isinstance(result.exception, PillionError), result.output
    return str(result.exception)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project."""
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=clean_environment(folder), capture_output=True, text=True, timeout=120
    )


# -- what it writes ------------------------------------------------------------------------------------


def test_the_job_and_its_test_are_where_the_name_says(project):
    output = generate("special_jobs/my_job", "--queue=high")
    assert files(project) == {
        "special_jobs/__init__.py",
        "special_jobs/my_job.py",
        "tests/jobs/special_jobs/test_my_job.py",
    }
    source = (project / "special_jobs/my_job.py").read_text()
    assert 'class MyJob(Job, queue="high"):' in source
    assert [line for line in output.splitlines() if line.startswith("created")] == [
        "created  special_jobs/__init__.py",
        "created  special_jobs/my_job.py",
        "created  tests/jobs/special_jobs/test_my_job.py",
    ]
    assert "  pillion run special_jobs.my_job -q high\n" in output


@pytest.mark.parametrize("words", [[], ["--queue=default"]])
def test_without_another_queue_there_is_no_word_of_queues(project, words):
    output = generate("my_job", *words)
    assert "queue" not in (project / "my_job.py").read_text()
    assert "  pillion run my_job\n" in output


def test_no_test_if_none_is_wanted(project):
    assert "pytest" not in generate("my_job", "--no-test")
    assert files(project) == {"my_job.py"}


def test_tests_go_where_they_are_kept(project):
    assert "  python -m pytest checks/a/test_b.py\n" in generate("a/b", "--tests", "checks")
    assert "checks/a/test_b.py" in files(project)


def test_packages_that_exist_stay_as_they_are(project):
    (project / "shop").mkdir()
    (project / "shop" / "other.py").write_text("x = 1\n")
    generate("shop/jobs/charge", "--no-test")
    assert files(project) == {"shop/other.py", "shop/jobs/__init__.py", "shop/jobs/charge.py"}


def test_it_derives_from_the_application_job_of_the_project(project):
    (project / "application_job.py").write_text("from pillion import Job\nclass ApplicationJob(Job): ...\n")
    generate("shop/charge", "--no-test")
    source = (project / "shop/charge.py").read_text()
    assert "from application_job import ApplicationJob\n" in source
    assert "class ChargeJob(ApplicationJob):" in source


def test_the_nearest_application_job_counts(project):
    for folder in (project, project / "shop" / "jobs"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "application_job.py").write_text("from pillion import Job\nclass ApplicationJob(Job): ...\n")
    generate("shop/jobs/charge", "--no-test")
    assert "from shop.jobs.application_job import ApplicationJob" in (project / "shop/jobs/charge.py").read_text()


def test_a_file_of_that_name_without_the_class_is_none(project):
    (project / "application_job.py").write_text("# class ApplicationJob goes here\n")
    generate("charge", "--no-test")
    assert "class ChargeJob(Job):" in (project / "charge.py").read_text()


# -- what the files do ---------------------------------------------------------------------------------


def test_a_fresh_test_fails_and_says_why(project):
    generate("special_jobs/my_job")
    result = python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert result.returncode == 1, result.stdout
    assert "Write a test of MyJob here, or delete this file if it needs none" in result.stdout
    assert "tests/jobs/special_jobs/test_my_job.py" in result.stdout


def test_a_fresh_job_fails_and_says_where(project):
    generate("special_jobs/my_job", "--queue=high")
    code = "from special_jobs.my_job import MyJob\nprint(MyJob.__job__.options['queue'])\nMyJob().perform()"
    result = python(project, "-c", code)
    assert result.stdout == "high\n"
    assert (
        "NotImplementedError: MyJob is not implemented yet: write its perform in special_jobs/my_job.py"
        in result.stderr
    )


def test_what_it_writes_passes_the_linters(project):
    generate("special_jobs/my_job", "--queue=high")
    assert CliRunner().invoke(command, ["lint", "special_jobs"]).exit_code == 0
    for words in (["check", "--select", "E,F,I,W,UP,ANN"], ["format", "--check", "--diff"]):
        result = python(project, "-m", "ruff", *words, "--line-length", "120", "--isolated", ".")
        assert result.returncode == 0, result.stdout


# -- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "module", "class_name"),
    [
        ("my_job", "my_job", "MyJob"),
        ("special_jobs/my_job", "special_jobs.my_job", "MyJob"),
        ("special_jobs.my_job", "special_jobs.my_job", "MyJob"),
        ("special_jobs/my_job.py", "special_jobs.my_job", "MyJob"),
        ("a/b/c/d", "a.b.c.d", "DJob"),
        ("shop/ChargeOrder", "shop.charge_order", "ChargeOrderJob"),
        ("HTTPPing", "http_ping", "HTTPPingJob"),
        ("step2", "step2", "Step2Job"),
        ("größe", "größe", "GrößeJob"),
    ],
)
def test_names_of_modules_and_classes(text, module, class_name):
    names = read_name(text)
    assert (names.module, names.class_name) == (module, class_name)
    assert names.class_name.isidentifier()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a/",
        "/etc/job",
        "../job",
        "a//b",
        "my-job",
        "my job",
        "1st",
        "class",
        "a/import",
        "x/\ud800",
        "a\nb",
        "a$b",
    ],
)
def test_names_that_python_cannot_import_are_refused(project, text):
    with pytest.raises(ConfigError, match="NAME: expected names as those of Python's modules"):
        read_name(text)
    assert files(project) == set()


def test_a_better_name_is_suggested():
    with pytest.raises(ConfigError, match="Example: special_jobs/my_job"):
        read_name("special jobs/my-job")


@pytest.mark.parametrize("text", ["json", "email/send", "pillion/jobs/x"])
def test_names_that_would_hide_a_module_are_refused(text):
    with pytest.raises(ConfigError, match="is a module already, which it would hide"):
        read_name(text)


def test_a_queue_that_cannot_be_is_refused(project):
    assert refusal("my_job", "--queue", 'a"b').startswith("--queue: expected letters, digits")
    assert files(project) == set()


@pytest.mark.parametrize("tests", ["../elsewhere", "tests/../../elsewhere", "{tmp}/elsewhere"])
def test_nothing_is_written_outside_of_the_project(project, tests):
    (project / "shop").mkdir()
    folder = tests.format(tmp=project.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project / "shop")
        assert refusal("my_job", "--tests", folder).startswith("--tests: expected a folder of this project")
    assert files(project) == set()
    assert not (project.parent / "elsewhere").exists()


# -- what is there already -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taken",
    ["shop/charge.py", "tests/jobs/shop/test_charge.py", "shop.py", "shop/charge/__init__.py"],
    ids=["the job", "its test", "a module called as its package", "a package called as it"],
)
def test_nothing_is_overwritten_and_nothing_half_done(project, taken):
    (project / taken).parent.mkdir(parents=True, exist_ok=True)
    (project / taken).write_text("mine = 1\n")
    message = refusal("shop/charge")
    assert f"got '{taken}'. Nothing was written." in message
    assert files(project) == {taken}
    assert (project / taken).read_text() == "mine = 1\n"


def test_a_folder_that_cannot_be_written_to_is_named(project):
    (project / "tests").write_text("a file, not a folder")
    assert "expected a folder that can be written to" in refusal("charge")


# -- templates -----------------------------------------------------------------------------------------


def test_a_project_can_have_templates_of_its_own(project):
    (project / "pillion_templates").mkdir()
    (project / "pillion_templates" / "job.py.txt").write_text("# $$ $module $class_name $queue\n$base_import\n")
    generate("a/b", "-q", "low")
    assert (project / "a/b.py").read_text() == "# $ a.b BJob low\nfrom pillion import Job\n"
    ast.parse((project / "tests/jobs/a/test_b.py").read_text())


@pytest.mark.parametrize("text", ["$owner", "100 $ a year", "${queue"])
def test_a_mistake_in_a_template_is_named_before_anything_is_written(project, text):
    (project / "pillion_templates").mkdir()
    (project / "pillion_templates" / "test.py.txt").write_text(text)
    message = refusal("a/b")
    assert message.startswith("pillion_templates/test.py.txt: expected only $name, $class_name, $module")
    assert files(project) == {"pillion_templates/test.py.txt"}
