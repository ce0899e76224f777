"""Whether everything is up that the shop stands on: for the welcome page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pillion

from shop import database
from shop.behaviours import Behaviour, behaviour_of
from shop.services import all_services


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One thing that the shop stands on. `behaviour` is None where none can be simulated."""

    name: str
    title: str
    is_up: bool
    facts: Mapping[str, Any]
    behaviour: Behaviour | None = None


def all_statuses() -> list[ServiceStatus]:
    """Ask all of them, one after the other."""
    own = [
        _ask(database.engine().dialect.name, database.status),
        _ask("redis", _redis_status),
    ]
    others = [
        _ask(service.name, service.status, service.title, behaviour_of(service.name)) for service in all_services()
    ]
    return own + others


def _ask(
    name: str, status: Callable[[], Mapping[str, Any]], title: str = "", behaviour: Behaviour | None = None
) -> ServiceStatus:
    """What is down says why: the page is there to show it."""
    try:
        facts, is_up = status(), True
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not up
        facts, is_up = {"error": f"{type(error).__name__}: {error}"}, False
    return ServiceStatus(name, title or name, is_up, facts, behaviour)


def _redis_status() -> dict[str, Any]:
    with pillion.redis() as connection:
        facts = connection.info("server")
    return {"status": "up", "version": facts["redis_version"]}
