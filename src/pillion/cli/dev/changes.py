"""Which files have changed: what is watched, what is worth a restart, what is said about it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pillion.errors import ConfigError

WATCHED = (".py", ".toml", ".yml", ".yaml", ".env")
NOT_WATCHED = frozenset({".pillion", "site-packages", ".ruff_cache", ".nox", "build", "dist"})
_SHOWN_AT_MOST = 3
_LOOK_EVERY_MS = 300

Changed = Callable[[frozenset[Path]], None]


def is_source(path: Path) -> bool:
    """Whether a change of this file may change what a worker does. `path` is as seen from the watched folder."""
    return path.name.endswith(WATCHED) and NOT_WATCHED.isdisjoint(path.parts)


def seen_from(folders: Sequence[Path], path: Path) -> Path:
    """`path` relative to the first of the folders it is in."""
    return next((path.relative_to(folder) for folder in folders if path.is_relative_to(folder)), path)


def summary(paths: Collection[Path], folder: Path) -> str:
    """The files in one line, as seen from `folder`: the first few by name."""
    names = sorted(str(seen_from([folder], path)) for path in paths)
    more = len(names) - _SHOWN_AT_MOST
    return ", ".join(names[:_SHOWN_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def syntax_error(path: Path) -> str | None:
    """What is wrong with a Python file, as the interpreter would say it; None: nothing, or it is no such file."""
    if path.suffix != ".py":
        return None
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as exc:  # a ValueError: null bytes in it
        return "".join(traceback.format_exception_only(exc)).rstrip()
    except OSError:
        return None  # it is gone; who imports it will say so
    return None


class Watcher:
    """Watches folders, in a thread, and calls `changed` with each lot of files.

    Parameters: `watching` is called once it does, `failed` with the reason if it cannot any more. Raises ConfigError
    if the package watchfiles is not there.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        changed: Changed,
        watching: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self._watch = _watchfiles()
        self._folders = folders
        self._changed, self._watching, self._failed = changed, watching, failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pillion.watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        watched: Any = self._watch.watch(
            *self._folders,
            watch_filter=_Filter(self._folders, self._watch.DefaultFilter()),
            stop_event=self._stop,
            rust_timeout=_LOOK_EVERY_MS,
            yield_on_timeout=True,  # the first answer, changes or none, says that it watches
            raise_interrupt=False,
        )
        try:
            self._report(watched)
        except Exception as exc:  # noqa: BLE001 - for instance: the system's limit of watched files
            self._failed(f"{type(exc).__name__}: {exc}")

    def _report(self, watched: Any) -> None:
        is_first = True
        for changes in watched:
            if is_first:
                is_first = False
                self._watching()
            if changes:
                self._changed(frozenset(Path(path) for _, path in changes))


class _Filter:
    """What watchfiles ignores by itself (.git, .venv, editors' files), and what is no source.

    Both go by what lies below the watched folders: that these lie in one called `build` means nothing.
    """

    def __init__(self, folders: Sequence[Path], theirs: Any) -> None:
        self._folders = folders
        self._theirs = theirs

    def __call__(self, change: Any, path: str) -> bool:
        seen = seen_from(self._folders, Path(path))
        return is_source(seen) and bool(self._theirs(change, str(seen)))


def _watchfiles() -> Any:
    try:
        return import_module("watchfiles")
    except ModuleNotFoundError:
        hint = "Install it with: pip install 'pillion[dev]'. Or go without: pillion dev --no-reload"
        raise ConfigError("dev", "the package watchfiles, to see changes of code", "none", hint) from None
