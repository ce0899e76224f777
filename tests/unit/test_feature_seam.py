"""Features hang themselves into the Config; none of their errors touches a job."""

import sys
from types import ModuleType

import pytest

from pillion.config import Config
from pillion.errors import ConfigError
from pillion.features.metrics.recorder import Recorder
from pillion.server.features import install_features
from pillion.server.observers import Observers
from pillion.settings.sources import load_config


@pytest.fixture
def feature(monkeypatch):
    module = ModuleType("my_feature")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_metrics_are_on_by_default():
    config = Config()
    install_features(config)
    (observer,) = config.observers
    assert isinstance(observer.__self__, Recorder)
    assert len(config.services) == 1


def test_an_empty_list_switches_all_off():
    config = Config(features=())
    install_features(config)
    assert (config.observers, config.services) == ([], [])


def test_two_configs_do_not_share_what_features_add():
    one = Config()
    install_features(one)
    assert (Config().observers, Config().services) == ([], [])


def test_a_module_named_twice_is_installed_once(feature):
    feature.install = lambda config: config.observers.append(print)
    config = Config(features=("my_feature", "my_feature"))
    install_features(config)
    assert config.observers == [print]


@pytest.mark.parametrize("name", ["no_such_feature", "pillion.features.nothing", "pillion.config.no"])
def test_a_module_that_does_not_exist_is_named(name):
    with pytest.raises(ConfigError, match=rf"features: expected modules that can be imported, got '{name}'.*\[\]"):
        install_features(Config(features=(name,)))


def test_a_module_without_install_is_named(feature):
    with pytest.raises(ConfigError, match=r"got 'my_feature'. A feature is a module with a function install"):
        install_features(Config(features=("my_feature",)))


def test_what_a_feature_itself_cannot_import_is_not_blamed_on_the_list(tmp_path, monkeypatch):
    (tmp_path / "needy_feature.py").write_text("import not_installed_here")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_installed_here"):
        install_features(Config(features=("needy_feature",)))


def test_text_is_not_taken_as_a_list_of_letters():
    with pytest.raises(ConfigError, match="features: expected a list of modules"):
        Config(features="pillion.features.metrics").validate()


class TestSettings:
    @pytest.mark.parametrize("text", ["features = []", 'features = ["none"]'])
    def test_a_file_can_switch_features_off(self, text, tmp_path):
        (tmp_path / "pillion.toml").write_text(text)
        assert load_config({}, {}, tmp_path).config.features == ()

    def test_a_file_can_name_others(self, tmp_path):
        (tmp_path / "pillion.toml").write_text('features = ["pillion.features.metrics", "shop.audit"]')
        assert load_config({}, {}, tmp_path).config.features == ("pillion.features.metrics", "shop.audit")

    @pytest.mark.parametrize(("text", "names"), [("none", ()), ("a.b, c", ("a.b", "c"))])
    def test_a_variable_can_too(self, text, names, tmp_path):
        assert load_config({}, {"PILLION_FEATURES": text}, tmp_path).config.features == names


class TestObservers:
    def test_a_failing_observer_is_reported_once_in_a_while(self):
        reports, now_s = [], [100.0]
        observers = Observers([], lambda exc, context: reports.append((exc, context)), clock=lambda: now_s[0])
        first, second, third = ValueError("1"), ValueError("2"), ValueError("3")
        observers.failed(first, {"jid": "a"})
        observers.failed(second, {"jid": "b"})
        now_s[0] += 60
        observers.failed(third, {"jid": "c"})
        assert [exc for exc, _ in reports] == [first, third]
        assert reports[0][1] == {"context": "Error in an observer of jobs", "job": {"jid": "a"}}
