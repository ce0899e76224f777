"""Style, script and icons: read once, named after their content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pillion.errors import ConfigError

FOLDER: Final = Path(__file__).parent / "assets"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}


@dataclass(slots=True, frozen=True)
class Asset:
    """A file as it is served."""

    content: bytes
    media_type: str


@dataclass(slots=True, frozen=True)
class Assets:
    """All files. `hashed` is the plain name to the one with the hash, which `served` knows."""

    hashed: Mapping[str, str]
    served: Mapping[str, Asset]

    @classmethod
    def load(cls, folders: Iterable[Path]) -> Assets:
        """Read the folders, not what is below them. Raises ConfigError for a kind of file that is not served."""
        hashed: dict[str, str] = {}
        served: dict[str, Asset] = {}
        for folder in folders:
            for file in sorted(folder.iterdir()):
                if not file.is_file() or file.name.startswith("."):
                    continue
                asset = _read(file)
                name = f"{file.stem}.{hashlib.sha256(asset.content).hexdigest()[:12]}{file.suffix}"
                hashed[file.name] = name
                served[name] = asset
        return cls(hashed, served)


def _read(file: Path) -> Asset:
    media_type = _TYPES.get(file.suffix)
    if media_type is None:
        raise ConfigError("assets", f"files that end in {', '.join(_TYPES)}", str(file))
    return Asset(file.read_bytes(), media_type)
