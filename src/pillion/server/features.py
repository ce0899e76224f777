"""Features: the modules named in `config.features` hang themselves into the Config when a worker boots.

The server knows their names only, so that each can be left out, or deleted.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from pillion.config import Config
from pillion.errors import ConfigError


def install_features(config: Config) -> None:
    """Call `install(config)` of each module in `config.features`, once, in the order given.

    Raises ConfigError for a module that does not exist or has no `install`, and whatever `install` raises.
    """
    for name in dict.fromkeys(config.features):
        _installer(name)(config)


def _installer(name: str) -> Callable[[Config], Any]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if not exc.name or not f"{name}.".startswith(f"{exc.name}."):
            raise  # the feature is there, and what it needs is not
        hint = "Install the package it is in, or take it off the list; features = [] switches all of them off."
        raise ConfigError("features", "modules that can be imported", name, hint) from None
    install: Callable[[Config], Any] | None = getattr(module, "install", None)
    if not callable(install):
        hint = "A feature is a module with a function install(config)."
        raise ConfigError("features", "modules with an `install`", name, hint)
    return install
