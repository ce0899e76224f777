"""The `pillion` command line: help, unknown commands, exit codes, what a command line turns into."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner, Result

from pillion._version import __version__
from pillion.cli import run
from pillion.cli.main import COMMANDS, command, main


def call(*argv: str) -> Result:
    return CliRunner().invoke(command, list(argv), prog_name="pillion")


class TestHelp:
    @pytest.mark.parametrize("flag", ["-h", "--help"])
    def test_lists_every_command(self, flag):
        result = call(flag)
        assert result.exit_code == 0
        assert [name for name in COMMANDS if not re.search(rf"^  {name} ", result.output, re.MULTILINE)] == []

    @pytest.mark.parametrize("name", COMMANDS)
    def test_of_each_command_has_its_name_and_says_what_it_is_for(self, name):
        result = call(name, "-h")
        assert result.exit_code == 0
        assert result.output.startswith(f"Usage: pillion {name}")

    @pytest.mark.parametrize("name", ["run", "push"])
    def test_teaches_by_examples(self, name):
        assert f"  pillion {name} shop.jobs" in call(name, "-h").output

    @pytest.mark.parametrize("flag", ["-q", "-c", "-p", "-t", "-e", "-g", "-r", "-C", "-v", "-V", "-h", "--log-format"])
    def test_of_run_lists_every_flag(self, flag):
        assert re.search(rf"^  (-\w, )?{flag}\b", call("run", "-h").output, re.MULTILINE)


class TestVersion:
    @pytest.mark.parametrize("argv", [["-V"], ["--version"], ["run", "-V"]])
    def test_flag_prints_name_and_version(self, argv):
        result = call(*argv)
        assert (result.exit_code, result.output) == (0, f"Pillion {__version__}\n")

    def test_command_names_what_a_bug_report_needs(self):
        output = call("version").output
        assert output.startswith(f"Pillion {__version__}\nPython 3.")
        assert re.search(r"^redis \d", output, re.MULTILINE)


class TestMistakes:
    def test_an_unknown_command_brings_the_nearest(self):
        result = call("rnu")
        assert result.exit_code == 2
        assert "There is no command 'rnu'. Did you mean run?" in result.output

    def test_a_far_off_command_brings_all(self):
        assert "There are: run, push" in call("xyzzy").output

    def test_an_unknown_flag_is_a_usage_error(self):
        assert call("run", "--nonsense").exit_code == 2

    def test_run_without_a_target_says_how_to_give_one(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        result = call("run")
        assert result.exit_code == 2
        assert "pillion run shop.jobs" in result.output

    def test_push_with_two_times_is_a_usage_error(self):
        result = call("push", "a.B", "--in", "5m", "--at", "2026-01-01T00:00:00Z")
        assert (result.exit_code, "not both" in result.output) == (2, True)

    def test_our_own_errors_are_one_line_and_exit_1(self, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["push", "a.B", "--in", "soon"])
        assert caught.value.code == 1
        assert capsys.readouterr().err == (
            "pillion: --in: expected a length of time such as 90, 5m, 2h, 1d or 1h30m, got 'soon'.\n"
        )


class TestRunBuildsSettings:
    @pytest.fixture
    def started(self, monkeypatch, tmp_path):
        """What `run` would start, in an empty folder."""
        seen = []
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(run, "start", lambda settings: seen.append(settings) or 3)
        monkeypatch.setattr(run.log, "setup", lambda level, log_format: None)
        for name in ("APP_ENV", "RAILS_ENV", "RACK_ENV", "DEBUG_INVOCATION", "PILLION_CONFIG"):
            monkeypatch.delenv(name, raising=False)

        def start(*argv: str):
            result = call("run", *argv)
            assert (result.exit_code, result.output) == (3, "")
            return seen[-1]

        return start

    @pytest.mark.parametrize(
        ("argv", "read", "expected"),
        [
            (["-c", "10"], lambda s: s.config.concurrency, 10),
            (
                ["-q", "high,3", "-q", "default"],
                lambda s: s.config.capsule("default").weights,
                {"high": 3, "default": 0},
            ),
            (["-p", "2"], lambda s: s.processes, 2),
            (
                ["-p", "critical=2", "-p", "default=5"],
                lambda s: [(group.queues, group.count) for group in s.workers],
                [(("critical",), 2), (("default",), 5)],
            ),
            (["--max-retries", "3"], lambda s: s.config.max_retries, 3),
            (["-t", "9"], lambda s: s.config.timeout_s, 9.0),
            (["-e", "production"], lambda s: s.config.environment, "production"),
            (["-g", "shop"], lambda s: s.config.tag, "shop"),
            (["-r", "app", "-r", "more"], lambda s: s.require, ("app", "more")),
            (["-v"], lambda s: s.log_level, "debug"),
            (["--log-format", "json"], lambda s: s.log_format, "json"),
            ([], lambda s: s.log_level, "info"),
        ],
    )
    def test_each_flag(self, started, argv, read, expected):
        assert read(started("shop.jobs", *argv)) == expected

    def test_targets(self, started):
        assert started("shop.jobs", "mail/jobs.py").targets == ("shop.jobs", "mail/jobs.py")

    def test_the_settings_file(self, started, tmp_path):
        (tmp_path / "other.toml").write_text("concurrency = 8\nrequire = ['shop.jobs']")
        assert started("-C", "other.toml").config.concurrency == 8

    def test_a_flag_beats_the_file(self, started, tmp_path):
        (tmp_path / "pillion.toml").write_text("concurrency = 5")
        assert started("shop.jobs", "-c", "1").config.concurrency == 1
