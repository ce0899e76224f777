"""`processes`: one number of workers, or one for each queue (F056); and the seats that come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pillion.config import Config, QueueSpec
from pillion.errors import ConfigError
from pillion.server.children import Seat, plan_seats
from pillion.server.worker import devote
from pillion.settings.readers import WorkerGroup, worker_groups
from pillion.settings.sources import Settings, load_config

BOTH = (WorkerGroup(2, ("critical",)), WorkerGroup(5, ("default",)))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Settings]:
    def read(text: str, name: str = "pillion.toml", **environ: str) -> Settings:
        (tmp_path / name).write_text(text)
        return load_config({}, environ, tmp_path)

    return read


class TestForms:
    @pytest.mark.parametrize("value", [3, "3", ("3",), 3.0])
    def test_a_number_is_one_group_with_the_queues_of_the_config(self, value):
        assert worker_groups(value, "here") == (WorkerGroup(3),)

    @pytest.mark.parametrize(
        "value",
        [
            {"critical": 2, "default": 5},
            {"critical": "2", "default": "5"},
            ("critical=2", "default=5"),
            "critical=2 default=5",
        ],
    )
    def test_a_number_for_each_queue_is_a_group_for_each(self, value):
        assert worker_groups(value, "here") == BOTH

    @pytest.mark.parametrize("value", [{"b, a": 1}, ("b,a=1",), "b,a=1"])
    def test_one_group_may_serve_several_queues_in_the_order_given(self, value):
        assert worker_groups(value, "here") == (WorkerGroup(1, ("b", "a")),)


class TestSources:
    def test_a_table_in_toml(self, read):
        assert read("[processes]\ncritical = 2\ndefault = 5\n").workers == BOTH

    @pytest.mark.parametrize(
        "text",
        [
            "processes: {critical: 2, default: 5}",
            ":processes:\n  :critical: 2\n  :default: <%= ENV.fetch('N') { 5 } %>\n",
            "processes: 9\nproduction:\n  processes:\n    critical: 2\n    default: 5\n",
        ],
    )
    def test_a_map_in_yaml(self, read, text):
        assert read(text, "pillion.yml", APP_ENV="production").workers == BOTH

    def test_a_number_from_the_environment_inside_the_table(self, read):
        assert read("[processes]\ncritical = '${N:-2}'\ndefault = '${M}'\n", M="5").workers == BOTH

    def test_a_variable(self, read):
        assert read("processes = 3", PILLION_PROCESSES="critical=2 default=5").workers == BOTH

    def test_processes_is_the_sum(self, read):
        assert read("[processes]\ncritical = 2\ndefault = 5\n").processes == 7

    def test_a_slip_in_the_name_is_no_section_of_an_environment(self, read):
        with pytest.raises(ConfigError, match=r"Did you mean processes"):
            read("proceses: {critical: 2}", "pillion.yml")


class TestMistakes:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({}, r"^here: expected a whole number of 1 or more, got 'nothing'. Or a number for each queue"),
            (0, r"a whole number of 1 or more, got 0"),
            (True, r"a whole number of 1 or more, got True"),
            ("critical", r"a whole number of 1 or more, got 'critical'. Or a number for each queue: \"critical=2"),
            ({"critical": 0}, r"^here, critical: expected a whole number of 1 or more, got 0"),
            ({"critical": None}, r"^here, critical: expected a whole number of 1 or more, got None"),
            ({"critical": {"a": 1}}, r"^here, critical: expected a whole number"),
            (("critical=many",), r"^here, critical: expected a whole number of 1 or more, got 'many'"),
            (("3", "critical=2"), r"either one number or NAME=NUMBER for each queue, got '3'"),
            (("2", "3"), r"either one number or NAME=NUMBER"),
            (("a=1", "a=2"), r"each queue once, got 'a, a'"),
            ({"a b": 1}, r"^here: expected letters, digits and _ : \. - only, got 'a b'"),
            ({"": 1}, r"letters, digits"),
            ({"a,": 1}, r"letters, digits"),
            ({"high,3": 2}, r"names of queues, without weights, got 'high,3'"),
        ],
    )
    def test_say_what_was_expected(self, value, message):
        with pytest.raises(ConfigError, match=message):
            worker_groups(value, "here")

    def test_a_queue_that_gets_no_worker_is_noted(self, read):
        notes = read("queues = ['critical', 'low']\n[processes]\ncritical = 2\ndefault = 5\n").notes
        assert notes == ("processes gives no worker to queue low, which queues lists: it is not served here",)

    def test_queues_without_numbers_for_each_are_fine(self, read):
        assert read("queues = ['critical', 'low']\nprocesses = 2\n").notes == ()

    def test_queues_on_the_command_line_are_refused_beside_it(self, tmp_path):
        with pytest.raises(ConfigError, match=r"^--queue: .* Give `-p NUMBER` as well"):
            load_config({"queues": ("low",), "processes": ("critical=2",)}, {}, tmp_path)

    def test_a_number_on_the_command_line_takes_the_place_of_the_table(self, tmp_path):
        (tmp_path / "pillion.toml").write_text("[processes]\ncritical = 2\n")
        settings = load_config({"queues": ("low",), "processes": ("3",)}, {}, tmp_path)
        assert (settings.workers, settings.config.queues) == ((WorkerGroup(3),), [QueueSpec("low")])


class TestSeats:
    def test_there_is_one_for_each_worker_with_the_queues_of_its_group(self):
        seats = plan_seats([WorkerGroup(2, ("critical",)), WorkerGroup(1, ("b", "a"))])
        assert seats == [Seat(1, ("critical",)), Seat(2, ("critical",)), Seat(3, ("b", "a"))]

    def test_a_plain_number_gives_seats_without_queues_of_their_own(self):
        assert plan_seats([WorkerGroup(2)]) == [Seat(1), Seat(2)]


class TestDevotion:
    def test_the_queues_of_the_seat_take_the_place_of_those_of_the_config(self):
        config = Config(queues=["critical,3", "default"])
        devote(config, ("b", "a"))
        assert config.queues == [QueueSpec("b"), QueueSpec("a")]

    def test_without_queues_of_its_own_a_worker_serves_what_the_config_says(self):
        config = Config(queues=["critical,3", "default"])
        config.capsule("mail")
        devote(config, ())
        assert config.queues == [QueueSpec("critical", 3), QueueSpec("default")]

    def test_further_capsules_are_refused(self):
        config = Config()
        config.capsule("mail")
        with pytest.raises(ConfigError, match=r"^processes: expected no further capsules .*\['mail'\]"):
            devote(config, ("critical",))
