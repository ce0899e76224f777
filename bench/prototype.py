"""The floor: a bare batched lease loop, with nothing of Pillion around it.

Ten threads, one buffer, one connection: whoever finds the buffer empty acknowledges everything that
is finished and leases the next batch in one round trip. Every figure of Pillion is also given as a
share of what this reaches in the same run. With BENCH_LEDGER in the environment its job keeps the ledger, as
those of all contestants do.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec
import redis

BATCH = 500  # what Pillion's own fetch takes at the most
THREADS = 10

LEASE = """
local acks = tonumber(ARGV[3])
if acks > 0 then
  redis.call('INCRBY', 'stat:processed', redis.call('HDEL', KEYS[2], unpack(ARGV, 4, 3 + acks)))
end
local wanted, token, found = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
while #found < wanted do
  local chunk = math.min(wanted - #found, 128)
  local payloads = redis.call('RPOP', KEYS[1], chunk)
  if not payloads then break end
  local fields = {}
  for i = 1, #payloads do
    fields[2 * i - 1] = token
    fields[2 * i] = payloads[i]
    token = token + 1
    found[#found + 1] = payloads[i]
  end
  redis.call('HSET', KEYS[2], unpack(fields))
  if #payloads < chunk then break end
end
return found
"""


class Prototype:
    """The loop. `run` drains `queue:default` and returns when it is empty."""

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(url)
        self.sha = client.script_load(LEASE)
        self.connection = client.connection_pool.get_connection()
        self.decode = msgspec.json.Decoder().decode
        self.job = the_job()
        self.buffer: deque[tuple[int, bytes]] = deque()
        self.finished: deque[int] = deque()
        self.lock = threading.Lock()
        self.token = 0
        self.inflight = f"{{queue:default}}:inflight:prototype:{os.getpid()}"  # each process has its own tokens
        self.over = False

    def fetch(self) -> int:
        acks = [self.finished.popleft() for _ in range(len(self.finished))]
        keys = ("queue:default", self.inflight)
        self.connection.send_command("EVALSHA", self.sha, 2, *keys, BATCH, self.token, len(acks), *acks)
        payloads = self.connection.read_response()
        self.buffer.extend((self.token + i, payload) for i, payload in enumerate(payloads))
        self.token += len(payloads)
        return len(payloads)

    def work(self) -> None:
        job, decode = self.job, self.decode
        while not self.over:
            try:
                token, raw = self.buffer.popleft()
            except IndexError:
                with self.lock:
                    if not self.buffer and not self.over and not self.fetch() and not self.finished:
                        self.over = True
                continue
            job(*decode(raw)["args"])
            self.finished.append(token)

    def run(self) -> None:
        threads = [threading.Thread(target=self.work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def nothing(*args: object) -> None:
    """What a no-op job does."""


def the_job() -> Callable[..., None]:
    """The same that the contestants run."""
    if "BENCH_LEDGER" not in os.environ:
        return nothing
    from bench.peers.work import noop

    return noop


if __name__ == "__main__":
    loop = Prototype(sys.argv[1] if len(sys.argv) > 1 else os.environ["REDIS_URL"])
    began = time.perf_counter()
    loop.run()
    print(time.perf_counter() - began)
