"""How a Target becomes connections of redis-py. The one place for redis-py's untyped corners.

Design record, for redis-py 5 to 8 alike:
- redis-py 6 and later retries by itself, several times and with pauses; we say `Retry(NoBackoff(), 0)`
  everywhere, Sentinel's own clients included, so that the number of attempts is ours (exchange.py).
- redis-py 8 has a socket timeout of 5 s of its own: ours is always given.
- RESP2, always: redis-py 8 would speak RESP3, whose floats and maps the parsers of ops do not expect.
- Sentinel: redis-py's Sentinel finds the master, at each connect, but its pool does not wait for a
  free connection. So a connection class asks for the address, and every topology has the same pool.
- The embedded server: a connection that finds no server has it started again, and then connects.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from ssl import VerifyMode
from typing import Any

import hiredis
import redis
from redis import sentinel
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.retry import Retry

from pillion._version import __version__
from pillion.config import RedisConfig
from pillion.storage.embedded import Lease
from pillion.storage.pool import ThreadPool
from pillion.storage.target import Node, Target

Options = dict[str, Any]

# What redis-py leaves untyped. Everything of it that storage uses goes through these names.
Connection = Any
_pack: Any = hiredis.pack_command  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

_SENT_IN_ONE_BYTES = 65_536  # more than that is not copied for the sake of one system call
_make_sentinel: Any = sentinel.Sentinel

GONE = (FileNotFoundError, ConnectionRefusedError)  # nobody listens on the embedded server's socket


class EmbeddedConnection(redis.UnixDomainSocketConnection):
    """A connection to the embedded server that starts it where it is gone."""

    def __init__(self, *, lease: Lease, **options: Any) -> None:
        self._lease = lease
        super().__init__(**options)  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType]

    def connect(self) -> None:
        """Connect and greet. A server that dies just then is started again: nothing has been sent yet."""
        connect: Callable[[], None] = super().connect
        try:
            connect()
        except redis.ConnectionError:
            self._lease.revive()
            connect()

    def _connect(self) -> Any:
        connect: Callable[[], Any] = super()._connect
        self._lease.hold()
        try:
            return connect()
        except GONE:
            self._lease.revive()
            return connect()


class _FindsMaster:
    """Mixed into a TCP connection: asks the Sentinels where the master is before each connect."""

    def __init__(self, *, find_master: Callable[[], Node], **options: Any) -> None:
        self._find_master = find_master
        super().__init__(**options)

    def _connect(self) -> Any:
        self.host, self.port = self._find_master()
        connection: Any = super()  # the connection class beside, whose `_connect` goes to host and port
        return connection._connect()


class SentinelConnection(_FindsMaster, redis.Connection):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A connection to the master of the moment."""


class SentinelTLSConnection(_FindsMaster, redis.SSLConnection):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The same over TLS."""


class LentPool(BlockingConnectionPool):
    """A pool of one connection, lent by another pool. Everything in a `connection()` block goes over it."""

    def __init__(self, lender: ThreadPool, connection: Connection) -> None:
        self._lent = connection
        super().__init__(  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType]
            max_connections=1,
            timeout=lender.timeout_s,  # pyright: ignore[reportArgumentType]
            connection_class=lender.connection_class,
            **lender.connection_kwargs,
        )

    def make_connection(self) -> Connection:
        """The lent connection; in a child forked inside of the block, one of its own."""
        if self._lent.pid == os.getpid():
            return self._lent
        return self.connection_class(**self.connection_kwargs)

    def is_in_use(self) -> bool:
        """Whether something still holds it, such as a PubSub that was not closed."""
        untyped: Any = self
        return bool(untyped.pool.empty())


def forget_subscribers(connection: Connection) -> None:
    """A PubSub that was not closed would subscribe again whenever its connection is used by somebody else."""
    connection._connect_callbacks.clear()


def make_pool(target: Target, config: RedisConfig, lease: Lease | None) -> ThreadPool:
    """The pool for `target`. Nothing is connected yet. `lease` is needed for the embedded server."""
    connection_class, options = _recipe(target, config, lease)
    return ThreadPool(connection_class, options, size=config.pool_size, timeout_s=config.pool_timeout_s)


def _recipe(target: Target, config: RedisConfig, lease: Lease | None) -> tuple[type[Any], Options]:
    """The connection class for `target`, and what it is called with."""
    options = common_options(target, config) | {"retry": Retry(NoBackoff(), 0)}
    if target.kind == "unix":
        return redis.UnixDomainSocketConnection, options | {"path": target.path}
    if target.kind == "embedded":
        return EmbeddedConnection, options | {"path": target.path, "lease": lease}
    if target.kind == "sentinel":
        options |= {"find_master": _MasterFinder(target, config), "redis_connect_func": _greet_master}
        return SentinelTLSConnection if target.tls else SentinelConnection, options
    return redis.SSLConnection if target.tls else redis.Connection, options


class _MasterFinder:
    """Asks the Sentinels where the master is; from any thread."""

    def __init__(self, target: Target, config: RedisConfig) -> None:
        self._target = target
        self._nodes = target.nodes  # the one that answered last comes first
        self._options = sentinel_options(target, config) | {"retry": Retry(NoBackoff(), 0)}

    def __call__(self) -> Node:
        # A new Sentinel each time: redis-py's reorders its list in place, which threads must not share.
        watchers = _make_sentinel(self._nodes, sentinel_kwargs=self._options)
        try:
            host, port = watchers.discover_master(self._target.master_name)
            self._nodes = addresses(watchers)
            return str(host), int(port)
        except redis.ConnectionError as error:
            failure = no_master(error, self._target)
        finally:
            for watcher in watchers.sentinels:
                watcher.close()
        raise failure  # here, where redis-py's error is not its context: that one may show the password


def addresses(watchers: Any) -> tuple[Node, ...]:
    """The nodes of a Sentinel object of redis-py, in its order."""
    pools = [watcher.connection_pool.connection_kwargs for watcher in watchers.sentinels]
    return tuple((str(options["host"]), int(options["port"])) for options in pools)


def no_master(error: Exception, target: Target) -> redis.ConnectionError:
    """redis-py's error in short: before redis-py 8, it spells out the clients with their passwords."""
    reasons = sorted(set(re.findall(r"> - ([\w:]+(?:\([^()]*\))?)", str(error))))
    text = f"No master found for {target.master_name!r}" + "".join(f", {reason}" for reason in reasons)
    return redis.ConnectionError(text)


def _greet_master(connection: Any) -> None:
    """Greet the server as usual, then make sure that it is a master: right after a failover, the
    Sentinels may still name one that is about to become a replica."""
    connection.on_connect()
    connection.send_command("ROLE", check_health=False)
    check_master(connection, connection.read_response())


def check_master(connection: Any, role: Any) -> None:
    """Raise redis-py's ConnectionError unless `role`, the reply to ROLE, is a master's."""
    if role[0] != b"master":
        raise redis.ConnectionError(
            f"{connection.host}:{connection.port} is not the master, although the Sentinels name it"
        )


def common_options(target: Target, config: RedisConfig) -> Options:
    """What connections of redis-py are called with, sync and async alike."""
    options: Options = {
        "db": target.db,
        "username": target.username,
        "password": target.password,
        "socket_timeout": config.timeout_s,
        "socket_connect_timeout": config.timeout_s if config.connect_timeout_s is None else config.connect_timeout_s,
        "health_check_interval": 0,
        "protocol": 2,
    }
    options |= client_info()
    if target.kind in ("tcp", "sentinel"):
        options["socket_keepalive"] = True
    if target.kind == "tcp":
        options |= {"host": target.host, "port": target.port}
    return options | (ssl_options(target) if target.tls else {})


def sentinel_options(target: Target, config: RedisConfig) -> Options:
    """What the clients of the Sentinels themselves are called with."""
    options: Options = {
        "username": target.sentinel_username,
        "password": target.sentinel_password,
        "socket_timeout": config.timeout_s,
        "socket_connect_timeout": config.timeout_s if config.connect_timeout_s is None else config.connect_timeout_s,
        "protocol": 2,
    }
    return options | ({"ssl": True} | ssl_options(target) if target.tls else {})


def ssl_options(target: Target) -> Options:
    """The TLS options under redis-py's names. Certificates and host names are checked unless told not to."""
    given = {name: _ssl_value(name, value) for name, value in target.ssl.items()}
    verified = given.get("cert_reqs", "required") not in ("none", VerifyMode.CERT_NONE)
    chosen = {"cert_reqs": "required", "check_hostname": verified} | given
    return {f"ssl_{name}": value for name, value in chosen.items()}


def _ssl_value(name: str, value: Any) -> Any:
    """A URL carries text only."""
    if name == "check_hostname" and isinstance(value, str):
        return value.lower() not in ("0", "f", "false", "n", "no")
    if name == "min_version" and isinstance(value, str) and value.isdigit():
        return int(value)
    return value


def client_info() -> Options:
    """How the connection names itself to CLIENT LIST."""
    try:
        from redis.driver_info import DriverInfo
    except ImportError:  # before redis-py 7.1
        return {"lib_name": f"redis-py(pillion_v{__version__})"}
    return {"driver_info": DriverInfo().add_upstream_driver("pillion", __version__)}


def pack(commands: Iterable[Sequence[Any]]) -> list[bytes]:
    """Commands as they go over the wire, in as few pieces as there can be without copying long ones.

    What redis-py's `pack_commands` makes of bytes, text and numbers, in a quarter of the time.
    """
    try:
        pieces = [_pack(command) for command in commands]
    except TypeError as error:
        raise redis.DataError(str(error)) from error
    return [b"".join(pieces)] if sum(map(len, pieces)) <= _SENT_IN_ONE_BYTES else list(_joined(pieces))


def _joined(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Neighbours in one, except where that is long: each one sent costs a system call, and over TCP a packet."""
    run: list[bytes] = []
    length = 0
    for piece in pieces:
        if run and length + len(piece) > _SENT_IN_ONE_BYTES:
            yield b"".join(run)
            run, length = [], 0
        run.append(piece)
        length += len(piece)
    yield b"".join(run)
