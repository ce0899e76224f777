import logging

import pytest

from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError
from pillion.log import TextFormatter
from pillion.server.reporter import Reporter


def test_the_default_handler_names_the_job_on_its_line(caplog):
    caplog.set_level(logging.INFO, logger="pillion")
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(TextFormatter().format(record))

    handler = Keep()
    logging.getLogger("pillion").addHandler(handler)
    try:
        job = {"class": "Wrapper", "wrapped": "CompleteOrder", "jid": "abc"}
        Reporter(Config()).report(ValueError("no"), {"context": "Job raised exception", "job": job})
    finally:
        logging.getLogger("pillion").removeHandler(handler)
    assert "class=CompleteOrder jid=abc INFO: Job raised exception: ValueError: no" in lines[0]


def test_a_handler_that_fails_does_not_stop_the_next():
    told = []
    config = Config(error_handlers=[lambda *_: 1 / 0, lambda exc, context, config: told.append(context["context"])])
    Reporter(config).report(ValueError("no"), {"context": "here"})
    assert told == ["here"]


def test_no_secret_is_in_the_repr_of_a_redis_config():
    shown = repr(RedisConfig(url="redis://:secret@h", password="secret", sentinel_password="secret"))
    assert "secret" not in shown


def test_redis_may_be_set_as_a_url_or_a_map():
    assert Config(redis="redis://h/3").redis == RedisConfig(url="redis://h/3")
    assert Config(redis={"url": "redis://h", "pool_size": 3}).redis == RedisConfig(url="redis://h", pool_size=3)


def test_a_wrong_redis_setting_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match="RedisConfig") as caught:
        Config(redis={"pasword": "secret"})
    assert "secret" not in str(caught.value)
