"""Which Redis: from settings and environment to one Target, and to text that hides its passwords.

Order (behaviour 25, F240, F241): what the code says, then the variable that REDIS_PROVIDER names, then
REDIS_URL, then the embedded server. Nothing here connects.

    redis://[user:password@]host[:port][/db]          rediss:// the same over TLS
    unix://[user:password@]/path/to/socket[?db=1]
    redis+sentinel://[user:password@]h1[:p],h2[:p]/master[/db]     rediss+sentinel:// over TLS
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from ssl import TLSVersion, VerifyMode
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from pillion.config import RedisConfig
from pillion.errors import ConfigError
from pillion.storage.embedded_paths import data_dir, socket_path

log = logging.getLogger("pillion")

Kind = Literal["tcp", "unix", "sentinel", "embedded"]
Node = tuple[str, int]

_EXAMPLE = "Example: redis://localhost:6379/0."
_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
_EMBEDDED_MARK = "pillion-embedded="
_SSL_OPTIONS = frozenset(
    {
        "keyfile",
        "certfile",
        "cert_reqs",
        "ca_certs",
        "ca_path",
        "ca_data",
        "check_hostname",
        "password",
        "min_version",
        "ciphers",
    }
)


@dataclass(slots=True, frozen=True)
class Target:
    """One Redis to talk to. Its repr and `description` hide passwords; `url` has them.

    A child process given `url` (as REDIS_URL, say) reaches the same Redis, the embedded one included.
    """

    kind: Kind
    host: str = "localhost"
    port: int = 6379
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ssl: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    nodes: tuple[Node, ...] = ()
    master_name: str = "mymaster"
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    data_dir: str = ""

    @property
    def description(self) -> str:
        """Where this is, for people: "host:port/db", or the path of the socket. No passwords."""
        if self.kind == "sentinel":
            nodes = ",".join(f"{host}:{port}" for host, port in self.nodes)
            return f"{self.master_name}@{nodes}/{self.db}"
        if self.kind == "tcp":
            return f"{self.host}:{self.port}/{self.db}"
        return self.path if self.db == 0 else f"{self.path} (db {self.db})"

    @property
    def url(self) -> str:
        """The whole address as a URL, passwords included: for child processes, not for logs."""
        login = _login(self.username, self.password)
        scheme = "rediss" if self.tls else "redis"
        if self.kind == "tcp":
            return f"{scheme}://{login}{_bracketed(self.host)}:{self.port}/{self.db}{self._ssl_query()}"
        if self.kind == "sentinel":
            nodes = ",".join(f"{_bracketed(host)}:{port}" for host, port in self.nodes)
            return f"{scheme}+sentinel://{login}{nodes}/{quote(self.master_name, safe='')}/{self.db}{self._ssl_query()}"
        query = f"?db={self.db}" if self.db else ""
        mark = f"#{_EMBEDDED_MARK}{quote(self.data_dir)}" if self.kind == "embedded" else ""
        return f"unix://{login}{quote(self.path)}{query}{mark}"

    def _ssl_query(self) -> str:
        options = {f"ssl_{name}": _ssl_text(value) for name, value in self.ssl.items()}
        if self.sentinel_username:
            options["sentinel_username"] = self.sentinel_username
        if self.sentinel_password:
            options["sentinel_password"] = self.sentinel_password
        return f"?{urlencode(options)}" if options else ""


def redact(url: str) -> str:
    """`url` with every password replaced by ***. Works on broken URLs too."""
    url = re.sub(r"(//[^/?#]*?):[^/?#]*@", r"\1:***@", url)
    return re.sub(r"([?&][a-z_]*password=)[^&#]*", r"\1***", url)


def resolve_url(redis: RedisConfig, environ: Mapping[str, str], embedded_data_dir: str | None = None) -> Target:
    """Decide which Redis to use.

    `embedded_data_dir` is the folder of the embedded server, used where nothing else is configured
    (None: PILLION_DATA_DIR, else the user's data folder). Raises ConfigError for a URL or an option
    that cannot be right. Spec: behaviour 25, F240 to F242.
    """
    if redis.sentinels:
        return _from_sentinels(redis)
    if redis.url is not None:
        return _override(parse_url(redis.url, "redis.url"), redis)
    found = _from_environment(environ)
    if found is not None:
        return _override(parse_url(found[1], found[0]), redis)
    return _override(_embedded(str(data_dir(embedded_data_dir, environ))), redis)


def _from_environment(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The name and the value of the variable that holds the URL, or None."""
    provider = environ.get("REDIS_PROVIDER", "")
    if ":" in provider:
        raise ConfigError(
            "REDIS_PROVIDER",
            "the name of an environment variable that holds the URL",
            redact(provider),
            "To give the URL itself, set REDIS_URL.",
        )
    if provider:
        if environ.get(provider):
            return provider, environ[provider]
        log.warning("REDIS_PROVIDER names %s, which is not set: falling back to REDIS_URL", provider)
    return ("REDIS_URL", environ["REDIS_URL"]) if environ.get("REDIS_URL") else None


def _embedded(folder: str) -> Target:
    return Target("embedded", path=str(socket_path(Path(folder))), data_dir=folder)


def _from_sentinels(redis: RedisConfig) -> Target:
    nodes = tuple(_node(text, 26379, "redis.sentinels") for text in redis.sentinels)
    # With `sentinels`, the host of a URL is the name of the watched service, as in Sidekiq.
    base = Target("tcp", host=redis.master_name) if redis.url is None else parse_url(redis.url, "redis.url")
    if base.kind == "sentinel":
        raise ConfigError("redis", "sentinels in the URL or in `sentinels`, not both", redact(str(redis.url)))
    if base.kind != "tcp":
        raise ConfigError("redis.url", "redis:// or rediss:// beside `sentinels`", redact(str(redis.url)))
    target = replace(base, kind="sentinel", nodes=nodes, master_name=base.host, tls=base.tls or bool(redis.ssl))
    return _override(target, redis)


def _override(target: Target, redis: RedisConfig) -> Target:
    """What the settings say beside the URL, over what the URL says."""
    ssl = dict(target.ssl) | {_ssl_name(name): value for name, value in redis.ssl.items()}
    if ssl and not target.tls:
        raise ConfigError("redis.ssl", "a rediss:// URL", sorted(ssl), "TLS options do nothing without TLS.")
    return replace(
        target,
        db=target.db if redis.db is None else _db(redis.db, "redis.db"),
        username=target.username if redis.username is None else redis.username,
        password=target.password if redis.password is None else redis.password,
        sentinel_username=target.sentinel_username if redis.sentinel_username is None else redis.sentinel_username,
        sentinel_password=target.sentinel_password if redis.sentinel_password is None else redis.sentinel_password,
        ssl=ssl,
    )


# -- URLs ----------------------------------------------------------------------------------------


def parse_url(url: str, option: str) -> Target:
    """Read one of the forms at the top of this file. `option` is named in a ConfigError."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError as error:
        raise ConfigError(option, "a Redis URL", redact(url), f"{error}. {_EXAMPLE}") from None
    if parts.scheme not in _SCHEMES:
        raise ConfigError(option, f"a URL that starts with {', '.join(s + '://' for s in _SCHEMES)}", redact(url))
    if parts.scheme == "unix":
        target = _parse_unix(parts, query, option, url)
    elif parts.scheme.endswith("sentinel"):
        target = _parse_sentinel(parts, query, option, url)
    else:
        target = _parse_tcp(parts, query, option, url)
    if query:
        raise ConfigError(option, "no unknown option in the URL", sorted(query), "Known: db, ssl_* with rediss://.")
    return target


def _parse_tcp(parts: SplitResult, query: dict[str, str], option: str, url: str) -> Target:
    host, port = _node(_without_login(parts.netloc) or "localhost", 6379, option, url)
    username, password = _credentials(parts.netloc)
    tls = parts.scheme == "rediss"
    return Target(
        "tcp",
        host=host,
        port=port,
        db=_db(query.pop("db", None) or parts.path.strip("/"), option, url),
        username=username,
        password=password,
        tls=tls,
        ssl=_take_ssl(query) if tls else {},
    )


def _parse_unix(parts: SplitResult, query: dict[str, str], option: str, url: str) -> Target:
    path = unquote(parts.path)
    if _without_login(parts.netloc) or not path.startswith("/"):
        raise ConfigError(option, "an absolute path of a socket", redact(url), "Example: unix:///run/redis.sock.")
    username, password = _credentials(parts.netloc)
    embedded = parts.fragment.startswith(_EMBEDDED_MARK)
    return Target(
        "embedded" if embedded else "unix",
        path=path,
        db=_db(query.pop("db", ""), option, url),
        username=query.pop("username", username),
        password=query.pop("password", password),
        data_dir=unquote(parts.fragment[len(_EMBEDDED_MARK) :]) if embedded else "",
    )


def _parse_sentinel(parts: SplitResult, query: dict[str, str], option: str, url: str) -> Target:
    nodes = tuple(_node(text, 26379, option, url) for text in _without_login(parts.netloc).split(",") if text)
    if not nodes:
        raise ConfigError(option, "the Sentinels as host:port,host:port", redact(url))
    master, _, db = parts.path.strip("/").partition("/")
    username, password = _credentials(parts.netloc)
    tls = parts.scheme == "rediss+sentinel"
    return Target(
        "sentinel",
        nodes=nodes,
        master_name=unquote(master) or "mymaster",
        db=_db(query.pop("db", None) or db, option, url),
        username=username,
        password=password,
        sentinel_username=query.pop("sentinel_username", None),
        sentinel_password=query.pop("sentinel_password", None),
        tls=tls,
        ssl=_take_ssl(query) if tls else {},
    )


def _take_ssl(query: dict[str, str]) -> dict[str, Any]:
    return {_ssl_name(name): query.pop(name) for name in list(query) if name.startswith("ssl_")}


def _ssl_name(name: str) -> str:
    short = name.removeprefix("ssl_")
    if short not in _SSL_OPTIONS:
        raise ConfigError("redis.ssl", f"one of {', '.join(sorted(_SSL_OPTIONS))}", name)
    return short


def _ssl_text(value: Any) -> str:
    """As it is read back from a URL. A TLSVersion is a number there, and VerifyMode.CERT_NONE is "none"."""
    if isinstance(value, VerifyMode):
        return value.name.removeprefix("CERT_").lower()
    return str(int(value)) if isinstance(value, TLSVersion) else str(value)


def _without_login(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def _credentials(netloc: str) -> tuple[str | None, str | None]:
    login = netloc.rpartition("@")[0]
    username, _, password = login.partition(":")
    return unquote(username) or None, unquote(password) or None


def _login(username: str | None, password: str | None) -> str:
    if not username and not password:
        return ""
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{quote(username or '', safe='')}{secret}@"


def _node(text: str, default_port: int, option: str, url: str | None = None) -> Node:
    """Read "host", "host:port" or "[v6]:port"."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?", text.strip())
    port = int(match[3] or default_port) if match else 0
    if match is None or not 0 < port < 65536:
        raise ConfigError(option, "host:port with a port of 1 to 65535", redact(url or text), _EXAMPLE)
    return unquote(match[1] or match[2]), port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _db(value: object, option: str, url: str | None = None) -> int:
    text = str(value)
    if text == "":
        return 0
    if not text.isascii() or not text.isdigit():
        raise ConfigError(option, "a database number of 0 or more", redact(url) if url else value, _EXAMPLE)
    return int(text)
