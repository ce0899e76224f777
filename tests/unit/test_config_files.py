"""What may stand in a settings file, TOML or Ruby's YAML, and what is said about one that is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pillion.config import QueueSpec
from pillion.errors import ConfigError
from pillion.settings.sources import Settings, load_config

BOOK = """\
:concurrency: <%= ENV.fetch("SIDEKIQ_CONCURRENCY") { 5 } %>
:timeout: <%= ENV.fetch("SIDEKIQ_TIMEOUT_SECONDS") { 25 } %>
:queues:
  - default
:max_retries: 7
"""


@pytest.fixture
def read(tmp_path: Path):
    """Load a file with this text, as the named kind."""

    def load(text: str, name: str = "pillion.toml", environ: dict[str, str] | None = None) -> Settings:
        (tmp_path / name).write_text(text)
        return load_config({"config": name}, environ or {}, tmp_path)

    return load


@pytest.fixture
def refusal(read):
    """The message of the error that this text brings."""

    def load(text: str, name: str = "pillion.toml", environ: dict[str, str] | None = None) -> str:
        with pytest.raises(ConfigError) as caught:
            read(text, name, environ)
        return str(caught.value)

    return load


class TestRubyFile:
    def test_reads_keys_with_a_leading_colon(self, read):
        config = read(BOOK, "sidekiq.yml").config
        assert (config.concurrency, config.timeout_s, config.max_retries) == (5, 25.0, 7)
        assert config.queues == [QueueSpec("default")]

    def test_follows_the_environment_without_an_edit(self, read):
        assert read(BOOK, "sidekiq.yml", {"SIDEKIQ_TIMEOUT_SECONDS": "9"}).config.timeout_s == 9.0

    def test_reads_keys_without_a_colon(self, read):
        assert read("concurrency: 2\nqueues: [a, b]", "sidekiq.yml").config.concurrency == 2

    def test_reads_every_form_of_a_queue(self, read):
        config = read(":queues:\n - [high, 2]\n - low,1\n - :plain\n -\n   - :sym\n   - 3\n", "sidekiq.yml").config
        assert config.queues == [QueueSpec("high", 2), QueueSpec("low", 1), QueueSpec("plain"), QueueSpec("sym", 3)]

    def test_lays_the_section_of_the_environment_over_the_rest(self, read):
        text = ":concurrency: 5\n:timeout: 7\nproduction:\n  :concurrency: 20\nstaging:\n  :concurrency: 10\n"
        config = read(text, "sidekiq.yml", {"APP_ENV": "production"}).config
        assert (config.concurrency, config.timeout_s) == (20, 7.0)

    def test_knows_aliases_and_merges(self, read):
        text = "defaults: &d\n  :concurrency: 9\nproduction:\n  <<: *d\n  :timeout: 3\nstaging: *d\n"
        production = read(text, "sidekiq.yml", {"APP_ENV": "production"}).config
        staging = read(text, "sidekiq.yml", {"APP_ENV": "staging"}).config
        assert (production.concurrency, production.timeout_s, staging.concurrency) == (9, 3.0, 9)

    def test_reads_capsules(self, read):
        config = read(":capsules:\n  :mail:\n    :queues: [[mailers, 2]]\n    :concurrency: 1\n", "sidekiq.yml").config
        assert config.capsule("mail").queues == [QueueSpec("mailers", 2)]
        assert config.capsule("mail").concurrency == 1
        assert config.capsule("default").concurrency == 5

    def test_takes_an_empty_value_as_not_given(self, read):
        assert read(":concurrency:\n:queues:\n", "sidekiq.yml").config.concurrency == 5

    def test_reads_an_empty_file(self, read):
        assert read("", "sidekiq.yml").config.concurrency == 5

    def test_knows_rubys_names(self, read):
        text = ":on_complex_arguments: :warn\n:dead_timeout_in_seconds: 60\n:average_scheduled_poll_interval: 2\n"
        config = read(text, "sidekiq.yml").config
        assert (config.strict_args, config.dead_timeout_s) == ("warn", 60)
        assert config.average_scheduled_poll_interval_s == 2.0

    def test_passes_over_what_only_ruby_knows_and_says_so(self, read):
        settings = read(":strict: true\n:pidfile: tmp/x.pid\n:concurrency: 2\n", "sidekiq.yml")
        assert settings.config.concurrency == 2
        assert len(settings.notes) == 2
        assert "pidfile has no effect" in settings.notes[1]

    def test_expands_dollar_braces_too(self, read):
        text = "concurrency: ${SIDEKIQ_CONCURRENCY:-5}\n"
        environ = {"OTHER": "1", "APP_ENV": "x"}
        assert read(text, "pillion.yml", environ).config.concurrency == 5

    def test_names_the_line_of_ruby_code(self, refusal):
        assert refusal("a: 1\n:concurrency: <%= Etc.nprocessors %>\n", "sidekiq.yml").startswith("sidekiq.yml, line 2:")

    def test_makes_no_objects(self, refusal):
        assert "ruby/object" in refusal("a: !ruby/object:Gem {}\n", "sidekiq.yml")
        assert "python/name" in refusal("a: !!python/name:os.system\n", "sidekiq.yml")

    def test_names_the_line_of_broken_yaml_but_not_its_text(self, refusal):
        message = refusal("a: 1\nredis: {password: 'geheim\n", "sidekiq.yml")
        assert "in line" in message
        assert "geheim" not in message

    def test_refuses_a_list(self, refusal):
        assert "keys and values" in refusal("- a\n", "sidekiq.yml")

    def test_takes_a_near_miss_of_a_table_for_an_error_not_for_an_environment(self, refusal):
        assert "Did you mean capsules?" in refusal("capsule:\n  mail:\n    queues: [a]\n", "sidekiq.yml")

    def test_says_how_to_get_pyyaml(self, refusal, monkeypatch):
        monkeypatch.setitem(sys.modules, "yaml", None)
        assert "pip install 'pillion[yaml]'" in refusal("a: 1", "sidekiq.yml")


class TestToml:
    def test_reads_a_table_in_pyproject(self, read):
        assert read("[tool.pillion]\nconcurrency = 2\n", "pyproject.toml").config.concurrency == 2

    def test_lays_the_section_of_the_environment_over_the_rest(self, read):
        text = "concurrency = 2\n[environments.production]\nconcurrency = 20\n"
        assert read(text).config.concurrency == 2
        assert read(text, environ={"APP_ENV": "production"}).config.concurrency == 20

    def test_a_section_may_change_one_field_of_redis(self, read):
        text = '[redis]\nurl = "redis://h/1"\ntimeout = 5\n[environments.test.redis]\nurl = "redis://h/2"\n'
        redis = read(text, environ={"APP_ENV": "test"}).config.redis
        assert (redis.url, redis.timeout_s) == ("redis://h/2", 5.0)

    def test_reads_capsules(self, read):
        config = read('[capsules.mail]\nqueues = ["mailers,2", ["bulk", 1]]\nconcurrency = 2\n').config
        assert config.capsule("mail").queues == [QueueSpec("mailers", 2), QueueSpec("bulk", 1)]

    def test_reads_redis_as_a_url(self, read):
        assert read('redis = "redis://h:1/2"').config.redis.url == "redis://h:1/2"

    def test_reads_redis_options_under_sidekiqs_names(self, read):
        redis = read("[redis]\nnetwork_timeout = 5\npool_timeout = 4\nsize = 3\n").config.redis
        assert (redis.timeout_s, redis.pool_timeout_s, redis.pool_size) == (5.0, 4.0, 3)

    def test_reads_sentinels_as_texts_and_as_tables(self, read):
        redis = read('[redis]\nsentinels = ["a:1", {host = "b"}]\nname = "main"\n').config.redis
        assert (redis.sentinels, redis.master_name) == (("a:1", "b:26379"), "main")

    def test_reads_default_job_options(self, read):
        assert read("[default_job_options]\nretry = 3\n").config.default_job_options == {"retry": 3}


class TestVariables:
    def test_take_the_value_of_the_environment(self, read):
        assert read('concurrency = "${THREADS:-5}"', environ={"THREADS": "8"}).config.concurrency == 8

    def test_take_the_fallback(self, read):
        assert read('concurrency = "${THREADS:-5}"').config.concurrency == 5

    def test_work_inside_lists_and_tables(self, read):
        config = read('queues = ["${Q}"]\n[redis]\nurl = "redis://${H:-h}/0"', environ={"Q": "high"}).config
        assert (config.queues, config.redis.url) == ([QueueSpec("high")], "redis://h/0")

    def test_two_dollars_are_one(self, read):
        assert read('tag = "$${X}"').config.tag == "${X}"

    def test_missing_without_a_fallback_is_an_error_that_names_it(self, refusal):
        assert "the environment variable THREADS to be set" in refusal('concurrency = "${THREADS}"')


class TestMistakes:
    def test_an_unknown_key_brings_the_nearest(self, refusal):
        message = refusal("concurency = 5")
        assert message == "pillion.toml: expected only options that exist, got 'concurency'. Did you mean concurrency?"

    def test_a_far_off_key_brings_the_list(self, refusal):
        assert "There are: average_scheduled_poll_interval, " in refusal("zzz = 5")

    def test_an_unknown_key_of_a_section_is_one_too(self, refusal):
        text = "[environments.production]\nconcurency = 5\n"
        assert "Did you mean concurrency?" in refusal(text, environ={"APP_ENV": "production"})

    def test_an_unknown_key_of_a_capsule(self, refusal):
        message = refusal('[capsules.mail]\nqueue = ["a"]\n')
        assert message.startswith("capsules in pillion.toml, mail: ")
        assert "Did you mean queues?" in message

    def test_an_option_under_two_names(self, refusal):
        assert "timeout once" in refusal("timeout = 5\ntimeout_s = 5\n")

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("concurrency = 0", "concurrency in pillion.toml: expected a whole number of 1 or more, got 0"),
            ("concurrency = true", "a whole number of 1 or more, got True"),
            ('concurrency = "many"', "a whole number of 1 or more, got 'many'"),
            ("concurrency = 1.5", "a whole number of 1 or more, got 1.5"),
            ("timeout = 0", "a number of seconds above 0, got 0"),
            ("timeout = nan", "a number of seconds above 0, got nan"),
            ('queues = ["a b"]', "queues in pillion.toml: expected letters, digits and _ : . - only, got 'a b'"),
            ('queues = ["a,-1"]', "a weight of 0 or more"),
            ("queues = 5", "a list of queues"),
            ('strict_args = "loud"', '"raise", "warn" or false'),
            ('log_format = "xml"', "one of text, json"),
            ("log_arguments = 5", "true or false"),
            ("environments = 5", "a table for each environment"),
            ("tag = [1]", "text, got [1]"),
            ("labels = 5", "a list of words"),
            ("capsules = 5", "a table of options"),
        ],
    )
    def test_a_wrong_value_says_where_what_was_expected_and_what_came(self, refusal, line, expected):
        assert expected in refusal(line)

    def test_a_wrong_flag_is_named_as_the_flag(self, tmp_path):
        with pytest.raises(ConfigError, match=r"^--queue: expected letters, .* got 'a b'"):
            load_config({"queues": ("a b",)}, {}, tmp_path)

    def test_a_wrong_variable_is_named_as_the_variable(self, tmp_path):
        with pytest.raises(ConfigError, match=r"^PILLION_CONCURRENCY: expected"):
            load_config({}, {"PILLION_CONCURRENCY": "x"}, tmp_path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match=r"--config: expected a file that exists, got 'nowhere\.toml'"):
            load_config({"config": "nowhere.toml"}, {}, tmp_path)

    def test_a_file_of_another_kind_is_refused(self, refusal):
        assert "a .toml, .yml or .yaml file" in refusal("", "pillion.ini")

    def test_broken_toml_is_named_with_its_line(self, refusal):
        assert "line 1" in refusal("concurrency = = 5")

    def test_a_file_that_is_not_utf8_is_refused(self, tmp_path):
        (tmp_path / "pillion.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigError, match="a readable UTF-8 file"):
            load_config({}, {}, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '[redis]\npassword = ["geheim"]\n',
        '[redis]\ndb = "geheim"\n',
        '[redis]\nurl = {a = "geheim"}\n',
        'redis = ["geheim"]\n',
        '[redis]\ntimeout = "geheim"\n',
    ],
)
def test_what_may_be_a_password_is_never_shown(refusal, text):
    assert "geheim" not in refusal(text)
