"""What the parts of a page send to Redis, and how that grows: for `explain()` of the calls."""

from __future__ import annotations

from typing import Final

from pillion.api.entry import TO_DEAD_COMMANDS, TO_QUEUE_COMMANDS, TO_TIME_COMMANDS
from pillion.api.undo import REMOVE_MEMBERS_COMMANDS

OVERVIEW: Final = ("EVALSHA", "INFO", "SMEMBERS", "HMGET", "HEXISTS", "LLEN", "LINDEX", "GET", "ZCARD")
LOOK: Final = ("EVALSHA", "TYPE", "ZCARD", "ZSCORE", "LLEN", "SMEMBERS", "ZRANGE", "ZREVRANGE", "LRANGE", "ZCOUNT")
WORKS: Final = ("EVALSHA", "SMEMBERS", "HLEN", "HGETALL", "GET")
IN_HAND: Final = ("EVALSHA", "HKEYS", "HGET", "HSCAN", "LRANGE", "EXISTS")
METRICS: Final = ("HGETALL", "BITFIELD_RO")
SET: Final = (*OVERVIEW, *LOOK, *METRICS)
PICK: Final = ("EVALSHA", "ZRANGEBYSCORE", "ZRANGE", "ZSCORE", "LRANGE")
BULK: Final = ("HGETALL", "HGET", "HSET", "HDEL", "EXPIRE", "SET", "EXISTS", "UNLINK", "EVALSHA")
MOVES: Final = (*TO_QUEUE_COMMANDS, *TO_DEAD_COMMANDS, *TO_TIME_COMMANDS, *REMOVE_MEMBERS_COMMANDS)
PAUSE: Final = ("EVALSHA", "SREM", "SADD", "PUBLISH")
TELL: Final = ("SISMEMBER", "HMGET", "MULTI", "LPUSH", "EXPIRE", "EXEC")
UNDO: Final = ("HGETALL", "LLEN", "ZCARD", "EVALSHA", "RENAME", "LMOVE", "ZPOPMIN", "ZADD", "UNLINK", "ZREM")
SURVEY: Final = "O(P + Q), P = processes, Q = queues, 1000 of each at most"
SEARCH: Final = f"{SURVEY}; 20,000 entries at most"
BUCKETS: Final = f"{SURVEY}; O(B*C), B = buckets, C = classes"
