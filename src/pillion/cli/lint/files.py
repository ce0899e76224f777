"""Which files to look at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from pillion.errors import PillionError

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


def python_files(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths`, whatever they are called, and every `*.py` in the folders; each once.

    Hidden folders, virtual environments and caches inside a folder are left out. Raises PillionError for a
    folder that cannot be listed: what was not checked must not look clean.
    """
    found = [file for path in paths for file in (_walk(path) if path.is_dir() else [path])]
    return list({file.resolve(): file for file in reversed(found)}.values())[::-1]


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder, onerror=_refuse):
        here = Path(where)
        folders[:] = sorted(name for name in folders if not _is_skipped(here / name))
        yield from (here / name for name in sorted(files) if name.endswith(".py"))


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()


def _refuse(error: OSError) -> NoReturn:
    raise PillionError(f"{error.filename}: this folder cannot be listed: {error.strerror}.") from error
