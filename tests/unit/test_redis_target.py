"""Which Redis is used, and how it is named without its passwords (behaviour 25, F240, F241)."""

from __future__ import annotations

import logging
import pickle
from ssl import TLSVersion, VerifyMode

import pytest

from pillion.config import RedisConfig
from pillion.errors import ConfigError, EmbeddedRedisError
from pillion.storage.target import Target, redact, resolve_url
from pillion.storage.wiring import ssl_options

HOME = {"HOME": "/home/ada"}


def resolve(url: str | None = None, environ: dict[str, str] | None = None, **settings: object) -> Target:
    return resolve_url(RedisConfig(url=url, **settings), HOME | (environ or {}))  # type: ignore[arg-type]


# -- precedence ------------------------------------------------------------------------------------


def test_a_url_in_the_settings_comes_before_the_environment() -> None:
    environ = {"REDIS_PROVIDER": "MINE", "MINE": "redis://b", "REDIS_URL": "redis://c"}
    assert resolve("redis://a", environ).host == "a"


def test_the_variable_named_by_redis_provider_comes_before_redis_url() -> None:
    environ = {"REDIS_PROVIDER": "MINE", "MINE": "redis://b", "REDIS_URL": "redis://c"}
    assert resolve(environ=environ).host == "b"


def test_redis_url_is_used_without_a_provider() -> None:
    assert resolve(environ={"REDIS_URL": "redis://c"}).host == "c"


def test_nothing_configured_means_the_embedded_server_in_the_users_data_folder() -> None:
    target = resolve()
    assert target.kind == "embedded"
    assert target.data_dir == "/home/ada/.local/share/pillion"
    assert target.path == "/home/ada/.local/share/pillion/redis/redis.sock"


@pytest.mark.parametrize("value", [None, ""])
def test_a_provider_that_names_an_unset_variable_warns_and_falls_back(
    value: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"REDIS_PROVIDER": "MINE", "REDIS_URL": "redis://c"} | ({} if value is None else {"MINE": value})
    with caplog.at_level(logging.WARNING, "pillion"):
        assert resolve(environ=environ).host == "c"
    assert "REDIS_PROVIDER names MINE, which is not set" in caplog.text


def test_a_url_in_redis_provider_is_rejected_with_a_hint_and_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"REDIS_PROVIDER: expected the name.*set REDIS_URL") as error:
        resolve(environ={"REDIS_PROVIDER": "redis://:s3cret@b:6379/0"})
    assert "s3cret" not in str(error.value)


def test_an_empty_redis_url_counts_as_unset() -> None:
    assert resolve(environ={"REDIS_URL": ""}).kind == "embedded"


def test_an_error_names_the_variable_that_the_url_came_from() -> None:
    with pytest.raises(ConfigError, match=r"^MINE: "):
        resolve(environ={"REDIS_PROVIDER": "MINE", "MINE": "http://x"})


# -- forms of a URL ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "db"),
    [
        ("redis://", "localhost", 6379, 0),
        ("redis://example.com", "example.com", 6379, 0),
        ("redis://example.com:7000/3", "example.com", 7000, 3),
        ("redis://example.com?db=4", "example.com", 6379, 4),
        ("redis://[::1]:7000/1", "::1", 7000, 1),
    ],
)
def test_tcp(url: str, host: str, port: int, db: int) -> None:
    target = resolve(url)
    assert (target.kind, target.host, target.port, target.db, target.tls) == ("tcp", host, port, db, False)


def test_tls_options_come_from_the_query() -> None:
    target = resolve("rediss://h/0?ssl_cert_reqs=none&ssl_ca_certs=/ca.pem")
    assert target.tls
    assert target.ssl == {"cert_reqs": "none", "ca_certs": "/ca.pem"}


def test_tls_options_come_from_the_settings_with_or_without_prefix() -> None:
    target = resolve("rediss://h/0", ssl={"ssl_keyfile": "/k", "certfile": "/c"})
    assert target.ssl == {"keyfile": "/k", "certfile": "/c"}


def test_unix() -> None:
    target = resolve("unix://ada:pw@/run/a%20b.sock?db=2")
    assert (target.kind, target.path, target.db, target.username, target.password) == (
        "unix",
        "/run/a b.sock",
        2,
        "ada",
        "pw",
    )


def test_sentinel_url() -> None:
    target = resolve("redis+sentinel://:pw@s1:26379,s2:26380,s3/orders/2")
    assert target.kind == "sentinel"
    assert target.nodes == (("s1", 26379), ("s2", 26380), ("s3", 26379))
    assert (target.master_name, target.db, target.password) == ("orders", 2, "pw")


def test_sentinels_in_the_settings() -> None:
    target = resolve(sentinels=("s1:26379", "s2"), master_name="orders", db=1, sentinel_password="x")
    assert target.kind == "sentinel"
    assert target.nodes == (("s1", 26379), ("s2", 26379))
    assert (target.master_name, target.db, target.sentinel_password) == ("orders", 1, "x")


def test_with_sentinels_the_host_of_the_url_is_the_name_of_the_master() -> None:
    target = resolve("redis://:pw@orders/3", sentinels=("s1",))
    assert (target.kind, target.master_name, target.db, target.password) == ("sentinel", "orders", 3, "pw")


def test_sentinels_in_the_settings_come_before_the_environment() -> None:
    assert resolve(environ={"REDIS_URL": "redis://c"}, sentinels=("s1",)).kind == "sentinel"


def test_settings_override_parts_of_the_url() -> None:
    target = resolve("redis://a:b@h/1", db=5, username="u", password="p:/@")
    assert (target.db, target.username, target.password) == (5, "u", "p:/@")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://h", "starts with redis://"),
        ("localhost:6379", "starts with redis://"),
        ("", "starts with redis://"),
        ("redis://h:0", "port of 1 to 65535"),
        ("redis://h:99999", "port of 1 to 65535"),
        ("redis://h:port", "port of 1 to 65535"),
        ("redis://h/minus", "database number"),
        ("redis://h/-1", "database number"),
        ("redis://h?tiemout=3", "no unknown option in the URL.*tiemout"),
        ("rediss://h?ssl_nonsense=3", "nonsense"),
        ("redis://h?ssl_cert_reqs=none", "no unknown option.*rediss://"),
        ("unix://relative/path", "absolute path"),
        ("unix://", "absolute path"),
        ("redis+sentinel:///mymaster", "the Sentinels as host:port"),
        ("redis://[::1", "a Redis URL"),
    ],
)
def test_a_url_that_cannot_be_right_says_what_was_expected(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        resolve(url)


def test_tls_options_without_tls_are_an_error() -> None:
    with pytest.raises(ConfigError, match="expected a rediss:// URL"):
        resolve("redis://h", ssl={"ca_certs": "/ca.pem"})


# -- passing it on -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        resolve("redis://u:p%40%2F@h:7000/3"),
        resolve("redis://[::1]:7000/1"),
        resolve("rediss://:p@h/0?ssl_cert_reqs=none"),
        resolve("unix://:p@/run/a%20b.sock?db=2"),
        resolve("redis+sentinel://u:p@s1,s2:1/my%2Fmaster/2?sentinel_password=s&sentinel_username=v"),
        resolve("rediss+sentinel://s1/m/0?ssl_ca_certs=/ca.pem"),
        resolve_url(RedisConfig(db=1), HOME, "/data/with space"),
    ],
    ids=lambda target: target.description,
)
def test_the_url_of_a_target_leads_to_the_same_target(target: Target) -> None:
    assert resolve(target.url) == target
    assert pickle.loads(pickle.dumps(target)) == target


def test_tls_options_that_are_no_text_are_passed_on_too() -> None:
    ssl = {"min_version": TLSVersion.TLSv1_3, "cert_reqs": VerifyMode.CERT_NONE, "check_hostname": False}
    url = resolve("rediss://h", ssl=ssl).url
    passed_on = ssl_options(resolve(url))
    assert passed_on == {"ssl_min_version": 772, "ssl_cert_reqs": "none", "ssl_check_hostname": False}
    assert TLSVersion(772) is TLSVersion.TLSv1_3


def test_redis_py_can_open_the_url_of_an_embedded_target() -> None:
    from redis.connection import parse_url

    assert parse_url(resolve_url(RedisConfig(), HOME, "/data").url)["path"] == "/data/redis/redis.sock"


# -- no passwords ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "redis://ada:s3cret@h:6379/0",
        "redis://:s3cret@h:6379/0",
        "redis+sentinel://:s3cret@a,b/m/0?sentinel_password=s3cret&db=1",
        "unix:///run/redis.sock?password=s3cret",
        "not a url://x:s3cret@h",
    ],
)
def test_redact_hides_passwords_and_keeps_the_rest(url: str) -> None:
    assert redact(url) == url.replace("s3cret", "***")


def test_neither_repr_nor_description_shows_a_password() -> None:
    target = resolve("redis+sentinel://ada:s3cret@a/m/0?sentinel_password=s3cret")
    assert "s3cret" not in repr(target) + target.description
    assert target.description == "m@a:26379/0"
    assert resolve("redis://ada:s3cret@h:7000/2").description == "h:7000/2"
    assert resolve("unix:///run/redis.sock").description == "/run/redis.sock"
    assert resolve("unix:///run/redis.sock?db=1").description == "/run/redis.sock (db 1)"


@pytest.mark.parametrize("url", ["redis://ada:s3cret@h:port", "redis://ada:s3cret@h/x", "htp://ada:s3cret@h"])
def test_an_error_about_a_url_hides_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve(url)
    assert "s3cret" not in str(error.value)


# -- the embedded server's folder ---------------------------------------------------------------------------


def test_the_folder_comes_from_the_settings_then_the_environment_then_the_users_data_folder() -> None:
    environ = {"PILLION_DATA_DIR": "/b", "XDG_DATA_HOME": "/c", "HOME": "/d"}
    assert resolve_url(RedisConfig(), environ, "/a").data_dir == "/a"
    assert resolve_url(RedisConfig(), environ).data_dir == "/b"
    del environ["PILLION_DATA_DIR"]
    assert resolve_url(RedisConfig(), environ).data_dir == "/c/pillion"
    environ["XDG_DATA_HOME"] = "relative/is/ignored"
    assert resolve_url(RedisConfig(), environ).data_dir == "/d/.local/share/pillion"


def test_without_a_home_folder_the_error_says_what_to_set() -> None:
    with pytest.raises(EmbeddedRedisError, match=r"Set REDIS_URL.*or PILLION_DATA_DIR"):
        resolve_url(RedisConfig(), {})


def test_a_folder_with_a_long_name_has_its_socket_in_a_short_place_of_its_own() -> None:
    long = resolve_url(RedisConfig(), {}, "/data/" + "x" * 100)
    other = resolve_url(RedisConfig(), {}, "/data/" + "x" * 99)
    assert len(long.path) < 100
    assert long.path != other.path
    assert long.data_dir == "/data/" + "x" * 100
