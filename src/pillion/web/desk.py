"""The desk: what all requests to one dashboard share."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from pillion.api.fleet import DEFAULT, Fleet
from pillion.config import Config
from pillion.storage.connect import open_target, resolve_url
from pillion.web import assets
from pillion.web.assets import Assets
from pillion.web.data.data import Data
from pillion.web.locale import Locales
from pillion.web.options import Options
from pillion.web.router import Router
from pillion.web.routes import ROUTES, Route
from pillion.web.security.limits import RateLimit
from pillion.web.security.token_link import TokenLink
from pillion.web.templating import Templates
from pillion.web.threads import AUTH_SIZE, SIZE, Threads

# Short, so that a page says soon that Redis is away; workers have their own connections and timeouts.
TIMEOUT_S: Final = 2.0
CONNECT_TIMEOUT_S: Final = 1.0
LOGIN: Final = Route(
    name="login", method="GET", path="/login", kind="file", role=None, summary="Comes in by the link of pillion web"
)


class WebFleet(Fleet):
    """The Redis of the dashboard, by connections of its own.

    Parameters: `config` None: the settings of this process, as they are when the first page is asked for.
    """

    def __init__(self, config: Config | None) -> None:
        super().__init__(config or Config())
        self._given = config

    @property
    def config(self) -> Config:
        """The settings."""
        return self._given or DEFAULT.config

    @property
    def storage(self) -> Any:
        """Runs ops from threads."""
        config = self.config
        with self._lock:
            if self._storage is None:
                target = resolve_url(config.redis, os.environ, config.embedded_data_dir)
                # One more than threads: an operation on many jobs has its own.
                settings = replace(
                    config.redis, timeout_s=TIMEOUT_S, connect_timeout_s=CONNECT_TIMEOUT_S, pool_size=SIZE + 2
                )
                self._storage = open_target(target, settings)
            return self._storage


@dataclass(slots=True, frozen=True, kw_only=True)
class Desk:
    """What all requests share.

    `auth_threads` are for the application's `auth` alone: one that waits for something holds up no page of those who
    are in. `limit` counts removals, `refusals` what the audit log has of those who may not.
    """

    options: Options
    router: Router
    templates: Templates
    assets: Assets
    locales: Locales
    threads: Threads
    auth_threads: Threads
    fleet: Fleet
    data: Data
    limit: RateLimit
    refusals: RateLimit

    @classmethod
    def build(cls, options: Options) -> Desk:
        """Read templates, assets and texts; nothing is connected yet. Raises ConfigError."""
        fleet = options.fleet or WebFleet(None)
        others = options.extensions
        own = (*ROUTES, LOGIN) if isinstance(options.auth, TokenLink) else ROUTES
        return cls(
            options=options,
            router=Router(chain(own, *(other.routes for other in others)), read_only=options.read_only),
            templates=Templates(other.templates for other in others if other.templates is not None),
            assets=Assets.load([assets.FOLDER, *(other.assets for other in others if other.assets is not None)]),
            locales=Locales.load(),
            threads=Threads(),
            auth_threads=Threads(AUTH_SIZE, "pillion-web-auth"),
            fleet=fleet,
            data=Data(fleet, redact=options.redact),
            limit=RateLimit(),
            refusals=RateLimit(),
        )
