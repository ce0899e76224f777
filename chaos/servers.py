"""The Redis of a run: one server with its data on disk, or a master and a replica under a Sentinel.

appendfsync is `always`. With `everysec` Redis may answer before it has written, when the disk is slow: a SIGKILL of
Redis could then lose what it had acknowledged, and the books could not tell that from a fault of ours.
"""

from __future__ import annotations

import time
from pathlib import Path

import redis

from chaos.proxy import Proxy
from chaos.support import SERVICE, VOTED_WITHIN_S, RedisProcess, Watched, find_binary

# While Redis is stopped the driver must not be, or all that follows comes late.
IMPATIENT_S = 1.0
PATIENT_S = 20.0


class OneServer:
    """A redis-server that is killed, paused and filled, and a line to it that is slow or breaks."""

    def __init__(self, folder: Path) -> None:
        self.process = RedisProcess(find_binary("system"), folder, aof=True)
        self.line = Proxy(folder, self.process.socket)
        self.urls = {"east": self.process.url, "west": self.line.url}
        self.environ: dict[str, str] = {}

    def client(self, timeout_s: float = IMPATIENT_S) -> redis.Redis:
        """A new client of whoever is the master now."""
        return _with_timeout(self.process.client(), timeout_s)

    def heal(self) -> None:
        """End whatever an event has left behind."""
        self.line.slow_down(0)
        self.line.swallow_replies(0)
        self.process.resume()
        self.process.config_set(maxmemory=0)

    def close(self) -> None:
        self.line.close()
        self.process.stop()


class UnderSentinel:
    """A master and a replica that change places. As replication is asynchronous, each change waits for the replica."""

    def __init__(self, folder: Path) -> None:
        # On a busy machine a master that is only slow must not be taken for dead: what it had not sent would be lost.
        self._watched = Watched(find_binary("system"), folder, down_after_ms=60_000)
        self.urls = {"east": self._watched.url, "west": self._watched.url}
        self.environ = {"CHAOS_SENTINEL": str(self._watched.port), "CHAOS_SERVICE": SERVICE}

    def client(self, timeout_s: float = IMPATIENT_S) -> redis.Redis:
        """A new client of whoever is the master now."""
        return _with_timeout(self._pair()[0].client(), timeout_s)

    def fail_over(self) -> None:
        """Hold all writes, wait until the replica has everything, and make it the master.

        The old master is told that it is one no more right here. Sentinel's word for it would wait behind what
        Sentinel publishes there, which counts as a write, until the pause is over: for 20 seconds nobody could write.
        """
        old, new = self._pair()
        with old.client() as client, new.client() as other:
            client.execute_command("CLIENT", "PAUSE", "20000", "WRITE")
            self._watched.wait_until(lambda: _offset(client) == _offset(other))
            self._watched.wait_until(lambda: self._watched.sentinel("FAILOVER", SERVICE))
            self._watched.wait_until(lambda: _role(new) == "master")
            client.execute_command("REPLICAOF", "127.0.0.1", str(new.port))
            self._watched.wait_until(lambda: self._pair()[0] is new)
            client.execute_command("CLIENT", "UNPAUSE")

    def heal(self) -> None:
        """Nothing is left behind here."""

    def close(self) -> None:
        self._watched.stop()

    def _pair(self) -> tuple[RedisProcess, RedisProcess]:
        deadline = time.monotonic() + VOTED_WITHIN_S
        while time.monotonic() < deadline:
            found = self._watched.master, self._watched.replica
            roles = [_role(server) for server in found]
            if sorted(roles) == ["master", "slave"]:
                return found if roles[0] == "master" else (found[1], found[0])
            time.sleep(0.02)
        raise AssertionError("there is no master")


def _with_timeout(client: redis.Redis, timeout_s: float) -> redis.Redis:
    client.connection_pool.connection_kwargs["socket_timeout"] = timeout_s
    return client


def _role(server: RedisProcess) -> str:
    with server.client() as client:
        return str(client.info("replication")["role"])


def _offset(client: redis.Redis) -> int:
    return int(client.info("replication")["master_repl_offset"])


Server = OneServer | UnderSentinel
