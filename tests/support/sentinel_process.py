"""A master, a replica and a Sentinel that watches them: real processes on ports of 127.0.0.1."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_process import RedisProcess

SERVICE = "orders"
VOTED_WITHIN_S = 90.0  # of a busy machine: no promise is about the time that Sentinel takes
_QUICK = ("--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Watched:
    """`master` and `replica` are as they were at the start; `port` is the Sentinel's."""

    def __init__(self, binary: str, folder: Path, *, password: str = "", down_after_ms: int = 300) -> None:
        self.port = free_port()
        self._binary = binary
        self._folder = folder
        self._password = password
        self.master = self._server("a")
        self.replica = self._server("b", "--replicaof", "127.0.0.1", str(self.master.port))
        self._sentinel = self._start_sentinel(down_after_ms)
        self.wait_until(self._replica_is_known)

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/{SERVICE}/0"

    def fail_over(self) -> None:
        """Make the replica the master; returns when both have their new roles."""
        self.wait_until(lambda: self.sentinel("FAILOVER", SERVICE))  # refused until it knows the replica well
        self.wait_until(lambda: (_role(self.replica), _role(self.master)) == ("master", "slave"))

    def sentinel(self, *words: str) -> Any:
        """Ask the Sentinel."""
        once = Retry(NoBackoff(), 0)
        options = {"password": self._password} if self._password else {}
        with redis.Redis(port=self.port, protocol=2, socket_timeout=10, retry=once, **options) as client:
            return _ask(client, words)

    def stop(self) -> None:
        self._sentinel.kill()
        self._sentinel.wait()
        self.replica.stop()
        self.master.stop()

    @staticmethod
    def wait_until(condition: Any) -> None:
        """Sentinel tells nobody when it has made up its mind, so ask again and again."""
        deadline = time.monotonic() + VOTED_WITHIN_S
        while True:
            try:
                if condition():
                    return
            except redis.RedisError:
                pass
            assert time.monotonic() < deadline, "the Sentinel takes too long"
            time.sleep(0.02)

    def _server(self, name: str, *options: str) -> RedisProcess:
        folder = self._folder / name
        folder.mkdir()
        return RedisProcess(self._binary, folder, port=free_port(), options=(*_QUICK, *options))

    def _start_sentinel(self, down_after_ms: int) -> subprocess.Popen[bytes]:
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
            + (f"requirepass {self._password}\n" if self._password else "")
        )
        with (self._folder / "sentinel.log").open("wb") as log:
            command = [self._binary, str(config), "--sentinel"]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _replica_is_known(self) -> bool:
        return len(self.sentinel("REPLICAS", SERVICE)) == 1 and self._replica_is_linked()

    def _replica_is_linked(self) -> bool:
        with self.replica.client() as client:
            return client.info("replication")["master_link_status"] == "up"


def _role(server: RedisProcess) -> str:
    with server.client() as client:
        return str(client.info("replication")["role"])


def _ask(client: redis.Redis, words: tuple[str, ...]) -> Any:
    connection = client.connection_pool.make_connection()
    connection.connect()
    try:
        connection.send_command("SENTINEL", *words)
        return connection.read_response()
    finally:
        connection.disconnect()
