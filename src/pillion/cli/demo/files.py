"""Which files the demo reads: those of the running Python's standard library, some of them broken."""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__"}
# Where Python's own tests keep files that no Python can read.
BROKEN_MARKS = ("/badsyntax", "/bad_coding", "/lib2to3/tests/data/")
FEWEST_BROKEN = 3
COPIES = 5


def standard_library() -> Path:
    """The folder of the running Python's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def python_files(source: Path) -> list[Path]:
    """All Python files below `source`, without installed packages; small ones first.

    The broken files are among the small ones, so their second try comes while the large ones are read.
    """
    return sorted(_walk(source), key=lambda path: (path.stat().st_size, str(path)))


def _walk(source: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = [name for name in subfolders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file():
                yield path


def with_broken_ones(files: Sequence[Path], folder: Path) -> tuple[list[Path], str]:
    """`files`, with broken copies of some of them if there are not enough broken ones; and a note that says so.

    A demo in which nothing fails would hide the better half. The copies are written to `folder`.
    """
    broken = sum(is_broken(path) for path in files if any(mark in path.as_posix() for mark in BROKEN_MARKS))
    if broken >= FEWEST_BROKEN:
        return list(files), ""
    copies = list(_make_copies(files[len(files) // 2 :], folder))  # files of some size
    note = f"{len(copies)} of the files are copies that were cut off in the middle, in {folder}: they cannot be parsed."
    return [*copies, *files], note if copies else ""


def is_broken(path: Path) -> bool:
    """Whether Python cannot parse the file at `path`."""
    return _is_unreadable(path.read_bytes())


def _is_unreadable(source: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except (SyntaxError, ValueError):
            return True
    return False


def _make_copies(files: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Copy COPIES of the files, each cut off after an opening bracket."""
    folder.mkdir(parents=True, exist_ok=True)
    made = 0
    for path in files:
        source = path.read_bytes()
        cut = source[: source.rfind(b"(", 0, len(source) // 2) + 1]
        if made == COPIES:
            return
        if _is_unreadable(cut):
            copy = folder / f"cut_{made + 1}_{path.name}"
            copy.write_bytes(cut)
            made += 1
            yield copy
