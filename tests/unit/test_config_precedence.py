"""Which source of a setting wins: flags, environment, file, defaults (behaviour.md 11, F047 to F053)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillion.settings.sources import load_config

FILE = """
concurrency = 3
timeout = 30
queues = ["file"]
environment = "from_file"
tag = "file"
processes = 2
log_level = "warn"
max_retries = 3
"""


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "pillion.toml").write_text(FILE)
    return tmp_path


def names(queues) -> list[str]:
    return [queue.name for queue in queues]


# option, flag, variable, its value; then what flag, variable, file and default each give
TABLE = [
    ("concurrency", 9, "PILLION_CONCURRENCY", "7", lambda s: s.config.concurrency, (9, 7, 3, 5)),
    ("concurrency", 9, "SIDEKIQ_CONCURRENCY", "7", lambda s: s.config.concurrency, (9, 7, 3, 5)),
    ("timeout", 9, "PILLION_TIMEOUT", "7", lambda s: s.config.timeout_s, (9.0, 7.0, 30.0, 25.0)),
    ("timeout", 9, "SIDEKIQ_TIMEOUT_SECONDS", "7", lambda s: s.config.timeout_s, (9.0, 7.0, 30.0, 25.0)),
    (
        "queues",
        ("flag",),
        "PILLION_QUEUES",
        "env",
        lambda s: names(s.config.queues),
        (["flag"], ["env"], ["file"], ["default"]),
    ),
    ("environment", "a", "APP_ENV", "b", lambda s: s.config.environment, ("a", "b", "from_file", "development")),
    ("environment", "a", "RAILS_ENV", "b", lambda s: s.config.environment, ("a", "b", "from_file", "development")),
    ("environment", "a", "RACK_ENV", "b", lambda s: s.config.environment, ("a", "b", "from_file", "development")),
    ("tag", "a", "PILLION_TAG", "b", lambda s: s.config.tag, ("a", "b", "file", "")),
    ("processes", 9, "PILLION_PROCESSES", "7", lambda s: s.processes, (9, 7, 2, 1)),
    ("log_level", "error", "PILLION_LOG_LEVEL", "DEBUG", lambda s: s.log_level, ("error", "debug", "warn", "info")),
    ("max_retries", 9, "PILLION_MAX_RETRIES", "0", lambda s: s.config.max_retries, (9, 0, 3, 25)),
]


@pytest.mark.parametrize(("option", "flag", "variable", "text", "read", "expected"), TABLE)
def test_the_strongest_source_wins(cwd, tmp_path_factory, option, flag, variable, text, read, expected):
    empty = tmp_path_factory.mktemp("empty")
    assert (
        read(load_config({option: flag}, {variable: text}, cwd)),
        read(load_config({}, {variable: text}, cwd)),
        read(load_config({}, {}, cwd)),
        read(load_config({}, {}, empty)),
    ) == expected


class TestConcurrency:
    def test_rails_max_threads_stands_below_the_file(self, cwd):
        assert load_config({}, {"RAILS_MAX_THREADS": "11"}, cwd).config.concurrency == 3

    def test_rails_max_threads_stands_above_the_default(self, tmp_path):
        assert load_config({}, {"RAILS_MAX_THREADS": "11"}, tmp_path).config.concurrency == 11

    def test_our_own_variable_stands_above_sidekiqs(self, tmp_path):
        environ = {"SIDEKIQ_CONCURRENCY": "1", "PILLION_CONCURRENCY": "2"}
        assert load_config({}, environ, tmp_path).config.concurrency == 2


class TestEnvironment:
    def test_app_env_stands_above_rails_env_above_rack_env(self, tmp_path):
        environ = {"RACK_ENV": "c", "RAILS_ENV": "b", "APP_ENV": "a"}
        assert load_config({}, environ, tmp_path).config.environment == "a"
        del environ["APP_ENV"]
        assert load_config({}, environ, tmp_path).config.environment == "b"

    def test_an_empty_variable_is_not_set(self, tmp_path):
        assert load_config({}, {"APP_ENV": "", "RACK_ENV": "c"}, tmp_path).config.environment == "c"


class TestLevel:
    def test_verbose_is_debug(self, cwd):
        assert load_config({"verbose": True}, {}, cwd).log_level == "debug"

    def test_debug_invocation_is_debug(self, cwd):
        assert load_config({}, {"DEBUG_INVOCATION": "1"}, cwd).log_level == "debug"


class TestWhatTheCommandNeeds:
    def test_targets_come_from_the_command_line(self, tmp_path):
        assert load_config({"targets": ("app.jobs",)}, {}, tmp_path).targets == ("app.jobs",)

    def test_required_modules_come_from_the_file_too(self, tmp_path):
        (tmp_path / "pillion.toml").write_text('require = ["app.jobs"]')
        assert load_config({}, {}, tmp_path).require == ("app.jobs",)

    def test_flags_given_as_nothing_are_not_given(self, cwd):
        assert load_config({"concurrency": None, "queues": ()}, {}, cwd).config.concurrency == 3

    def test_arguments_can_be_kept_out_of_the_log(self, tmp_path):
        assert not load_config({}, {"SIDEKIQ_LOG_ARGUMENTS": "0"}, tmp_path).config.log_arguments

    def test_the_data_folder_has_a_variable(self, tmp_path):
        assert load_config({}, {"PILLION_DATA_DIR": "/data"}, tmp_path).config.embedded_data_dir == "/data"


class TestWhichFile:
    def test_none_is_fine(self, tmp_path):
        assert load_config({}, {}, tmp_path).config_file is None

    @pytest.mark.parametrize(
        ("better", "worse"),
        [
            ("pillion.toml", "pyproject.toml"),
            ("pyproject.toml", "pillion.yml"),
            ("pillion.yml", "config/sidekiq.yml"),
            ("config/sidekiq.yml", "config/sidekiq.yml.erb"),
        ],
    )
    def test_the_first_that_exists_is_read_alone(self, tmp_path, better, worse):
        (tmp_path / "config").mkdir()
        text = {"pillion.toml": "{}", "pyproject.toml": "[tool.pillion]\n{}"}
        for name, line in ((better, "timeout"), (worse, "concurrency")):
            separator = " = 2" if name.endswith(".toml") else ": 2"
            (tmp_path / name).write_text(text.get(name, "{}").replace("{}", line + separator))
        settings = load_config({}, {}, tmp_path)
        assert settings.config_file == tmp_path / better
        assert (settings.config.timeout_s, settings.config.concurrency) == (2.0, 5)

    def test_a_pyproject_without_our_table_is_passed_over(self, cwd):
        (cwd / "pillion.toml").rename(cwd / "pillion.yml")
        (cwd / "pillion.yml").write_text("concurrency: 4")
        (cwd / "pyproject.toml").write_text("[project]\nname = 'x'")
        assert load_config({}, {}, cwd).config.concurrency == 4

    def test_the_named_one_is_read_instead(self, cwd):
        (cwd / "other.yml").write_text("concurrency: 8")
        assert load_config({"config": "other.yml"}, {}, cwd).config.concurrency == 8

    def test_a_variable_can_name_it(self, cwd):
        (cwd / "other.toml").write_text("concurrency = 8")
        assert load_config({}, {"PILLION_CONFIG": "other.toml"}, cwd).config.concurrency == 8
