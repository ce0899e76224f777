"""`python bench/floors.py URL single|pipeline COUNT`: what redis-py itself takes to push what a client would push.

Nothing is built or checked: the payload is ready. `single` is one `lpush` after the other, `pipeline` a thousand of
them at a time. Prints the seconds.
"""

from __future__ import annotations

import sys
import time

import redis

PAYLOAD = (
    '{"retry":true,"queue":"default","class":"Noop","args":[12345,0],"jid":"0123456789abcdef01234567",'
    '"created_at":1700000000000,"enqueued_at":1700000000000}'
)
BATCH = 1000


def single(client: redis.Redis, count: int) -> None:
    """One after the other, each answered before the next."""
    for _ in range(count):
        client.lpush("queue:default", PAYLOAD)


def pipeline(client: redis.Redis, count: int) -> None:
    """By the thousand."""
    for start in range(0, count, BATCH):
        pipe = client.pipeline(transaction=False)
        for _ in range(start, min(start + BATCH, count)):
            pipe.lpush("queue:default", PAYLOAD)
        pipe.execute()


def main() -> None:
    """Push, and check that all arrived."""
    client, count = redis.Redis.from_url(sys.argv[1]), int(sys.argv[3])
    client.ping()
    began = time.perf_counter()
    {"single": single, "pipeline": pipeline}[sys.argv[2]](client, count)
    taken_s = time.perf_counter() - began
    if client.llen("queue:default") != count:
        raise SystemExit("not everything arrived")
    print(taken_s)


if __name__ == "__main__":
    main()
