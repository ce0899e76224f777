"""The process-wide default: when blocks run, whose settings count, what is opened when (F022, F023, F243)."""

import asyncio
import os

import pytest
from own_home import Recorder

from pillion.client import Client
from pillion.config import Config
from pillion.default import Default
from pillion.errors import ConfigError


@pytest.fixture
def default(monkeypatch, tmp_path):
    """A Default of its own, in an empty folder, with a Redis named that nobody will ask."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")
    made = Default()
    yield made
    made.reset()


@pytest.fixture
def log():
    return []


# -- blocks ----------------------------------------------------------------------------------------------


def test_a_client_block_runs_before_the_first_use_and_once(default, log):
    default.configure_client(log.append)
    assert log == []
    default.client()
    default.client()
    assert log == [default.config()]


def test_a_client_block_that_comes_late_runs_at_once(default, log):
    config = default.config()
    default.configure_client(log.append)
    assert log == [config]


def test_a_server_block_never_runs_in_a_process_that_only_pushes(default, log):
    default.configure_server(log.append)
    default.client()
    assert log == []


def test_a_worker_runs_its_server_blocks_in_order_and_no_client_block(default, log):
    config = Config()
    default.configure_client(lambda config: log.append("client"))
    default.configure_server(lambda config: log.append("first"))
    default.configure_server(lambda config: log.append(config))
    default.run_server_blocks(config)
    default.client()
    assert log == ["first", config]


def test_a_server_block_that_comes_after_the_boot_runs_at_once(default, log):
    config = Config()
    default.run_server_blocks(config)
    default.configure_server(log.append)
    assert log == [config]


def test_in_a_worker_jobs_push_with_the_settings_of_the_worker(default):
    config = Config()
    default.configure_server(lambda config: config.client_middleware.add(lambda *args: args[-1]()))
    default.run_server_blocks(config)
    assert default.config() is config
    assert not default.client().config.client_middleware.is_empty


def test_middleware_that_asks_for_the_config_gets_the_one_in_use(default):
    class Curious:
        config = None

        def __call__(self, job_class, payload, queue, redis_pool, next_):
            payload["seen"] = self.config
            return next_()

    config = Config()
    default.run_server_blocks(config)
    config.client_middleware.add(Curious)
    assert config.client_middleware.invoke("K", {}, "q", None)["seen"] is config


def test_blocks_are_decorators(default):
    @default.configure_server
    @default.configure_client
    def block(config): ...

    assert callable(block)


def test_a_block_that_sets_a_wrong_option_fails_loudly(default):
    default.configure_client(lambda config: setattr(config, "colour", "red"))
    with pytest.raises(ConfigError, match="colour"):
        default.client()


# -- settings and clients --------------------------------------------------------------------------------


def test_settings_come_from_the_same_places_as_for_a_worker(default, tmp_path):
    (tmp_path / "pillion.toml").write_text('[redis]\nurl = "redis://from-file:1/0"\n')
    assert default.config().redis.url == "redis://from-file:1/0"


def test_installed_settings_and_client_are_used(default):
    config, sent = Config(), Recorder()
    client = Client(sent, config)
    default.install(config, client)
    assert default.config() is config
    assert default.client() is client


def test_installing_other_settings_drops_the_client_of_the_old_ones(default):
    old = default.client()
    default.install(Config())
    assert default.client() is not old


def test_the_client_is_opened_once(default):
    assert default.client() is default.client()


def test_one_async_client_serves_all_event_loops(default):
    async def touch():
        return default.async_client()

    assert asyncio.run(touch()) is asyncio.run(touch())


def test_reset_forgets_everything_but_the_jobs(default, log):
    default.configure_client(log.append)
    default.configure_server(log.append)
    old = default.client()
    registry = default.registry()
    log.clear()
    default.reset()
    assert default.client() is not old
    assert default.registry() is registry
    assert log == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12 warns of threads
def test_after_a_fork_the_child_opens_its_own_client(default):
    before = default.client()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        default.after_fork()
        os.write(writer, b"own" if default.client() is not before else b"shared")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"own"
    assert default.client() is before
    os.close(reader)
    os.close(writer)
