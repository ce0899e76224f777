"""Source: what all pages read from, with what they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pillion.api.fleet import Fleet
from pillion.api.plan import Plan
from pillion.api.redis_info import RedisSnapshot
from pillion.features.health.thresholds import Thresholds
from pillion.web.data.cache import LONG_S, SHORT_S, Cache, remembered
from pillion.web.data.groups import RawGroups, ask_groups
from pillion.web.data.lost import Lost
from pillion.web.data.models import Mark, SetName
from pillion.web.data.overview import Overview, ask_overview
from pillion.web.data.pulse import Pulse, ask_marks, ask_pulse, ask_redis
from pillion.web.data.query import Query
from pillion.web.data.redaction import Redact
from pillion.web.data.trends import Trends

# From here on it takes so long to look through a set that it is done at most every ten seconds.
_MANY: Final = 1000


@dataclass(slots=True, frozen=True)
class Source:
    """One Redis, and what is remembered of it: answers for a second, samples of sizes for an hour.

    `lost` remembers processes that died. `redact` is what may be shown to those of whom nothing else is said.
    `classes` are those that the metrics had last: their histograms can be asked for in the same round trip then.
    """

    fleet: Fleet
    redact: Redact
    limits: Thresholds
    cache: Cache
    trends: Trends = field(default_factory=Trends)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    lost: Lost = field(default_factory=Lost)

    @property
    def now_s(self) -> float:
        """The time, in epoch seconds."""
        return self.fleet.clock()

    def overview(self) -> Plan[Overview]:
        """Processes, queues, the bar on top."""
        return remembered(
            self.cache, "overview", lambda: ask_overview(self.now_s, self.trends, self.limits, self.lost), ttl_s=SHORT_S
        )

    def pulse(self) -> Plan[Pulse]:
        """The last hour."""
        return remembered(self.cache, "pulse", lambda: ask_pulse(self.fleet), ttl_s=LONG_S)

    def marks(self) -> Plan[tuple[Mark, ...]]:
        """The deploys of today and yesterday."""
        return remembered(self.cache, "marks", lambda: ask_marks(self.now_s), ttl_s=LONG_S)

    def redis(self) -> Plan[RedisSnapshot]:
        """What Redis says of itself."""
        return remembered(self.cache, "redis", lambda: ask_redis(self.now_s), ttl_s=SHORT_S)

    def groups(self, set_name: SetName, query: Query, redact: Redact, most: int) -> Plan[RawGroups]:
        """Error groups. Which jobs fit a filter depends on what may be seen of them."""
        key = ("groups", set_name, query.text, query.since_at, redact, most)
        return remembered(
            self.cache,
            key,
            lambda: ask_groups(set_name, query, redact=redact, now_s=self.now_s, most=most),
            ttl_s=lambda raw: LONG_S if raw.looked_at > _MANY else SHORT_S,
        )
