"""App: what a worker has loaded, so that its children can load it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True, frozen=True)
class App:
    """What is to be imported, and where names and paths begin: the parameters of `loader.load_app`."""

    targets: Sequence[str] = ()
    require: Sequence[str] = ()
    directory: Path = field(default_factory=Path.cwd)
