"""Reads a Ruby fleet's `sidekiq.yml` (or a `pillion.yml`) into a plain mapping (behaviour.md 11).

Keys may be written `concurrency:` or, the Ruby way, `:concurrency:`, at any depth; values like
`:default` are symbols too. ERB is read by `erb.py`; aliases and `<<` merges work; tags that would make
Ruby or Python objects do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pillion.errors import ConfigError
from pillion.settings.erb import render

_SYMBOL = re.compile(r":([A-Za-z_]\w*)")


def parse(text: str, environ: Mapping[str, str], source: str) -> dict[str, Any]:
    """Return the mapping in `text`, keys without colons; an empty file is an empty mapping.

    Parameters: `environ` gives the values that ERB tags ask for; `source` names the file in errors.
    Raises ConfigError: PyYAML is not installed, the YAML is broken, or it is not a mapping.
    """
    loaded = _load_yaml(render(text, environ, source), source)
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(source, "keys and values (concurrency: 5)", type(loaded).__name__)
    return cast("dict[str, Any]", _without_symbols(cast("object", loaded)))


def _load_yaml(text: str, source: str) -> object:
    try:
        import yaml
    except ImportError:
        hint = "Install it with: pip install 'pillion[yaml]'"
        raise ConfigError(source, "PyYAML to be installed, which reads .yml files", "no PyYAML", hint) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return cast("object", yaml.load(text, Loader=loader))  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as exc:
        raise ConfigError(source, "valid YAML", _problem(exc)) from None


def _problem(exc: Exception) -> str:
    """What is wrong and in which line. PyYAML's own text may quote the file, and with it a password."""
    mark = getattr(exc, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    return f"{getattr(exc, 'problem', None) or type(exc).__name__}{where}"


def _without_symbols(value: object) -> object:
    """`value` with `:name` turned into `name`, in keys and in text values, at any depth."""
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value)
        return {str(_without_symbols(key)): _without_symbols(item) for key, item in pairs.items()}
    if isinstance(value, list):
        return [_without_symbols(item) for item in cast("list[object]", value)]
    if isinstance(value, str) and (match := _SYMBOL.fullmatch(value)):
        return match[1]
    return value
