"""The entry in INSTALLED_APPS: "pillion.contrib.django"."""

from importlib import import_module
from typing import Any

from pillion.contrib.django.transactions import watch

_AppConfig: Any = import_module("django.apps").AppConfig  # Django brings no types


class PillionConfig(_AppConfig):  # type: ignore[misc]
    """Watches the transactions of this process."""

    name = "pillion.contrib.django"
    label = "pillion"
    verbose_name = "Pillion"

    def ready(self) -> None:
        """Called by Django once it is set up."""
        watch()
