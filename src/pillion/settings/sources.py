"""Where settings come from: flags, then the environment, then a file, then the defaults.

    flag -c 20  >  PILLION_CONCURRENCY=10  >  concurrency = 5 in pillion.toml  >  RAILS_MAX_THREADS  >  5

One file is read: the one given with `-C`, else the first that exists of FILES. A `.yml` file is read the
way Ruby's Sidekiq reads it. `${NAME}` and `${NAME:-fallback}` in any text of a file take the value of an
environment variable. A section for the environment (`[environments.production]` in TOML, `production:`
in YAML) lies over the rest of the file. (behaviour.md 11, requirements F050 to F053 and F244)
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pillion.config import Config, QueueSpec
from pillion.errors import ConfigError
from pillion.settings import sidekiq_yml
from pillion.settings.options import NAMES, OPTIONS, RUBY_ONLY, TABLES, Option
from pillion.settings.readers import CapsuleSpec, WorkerGroup, refuse_unknown

FILES = ("pillion.toml", "pyproject.toml", "pillion.yml", "config/sidekiq.yml", "config/sidekiq.yml.erb")
SECTIONS = "environments"
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>\w+)(?::-(?P<fallback>[^}]*))?\}")


@dataclass(slots=True, frozen=True)
class Settings:
    """What one `pillion run` is told: the Config, and what the command itself needs.

    `targets` and `require` are the modules and files with the jobs; `workers` says how many worker
    processes there shall be and what they serve; `config_file` is the file that was read, None if
    there was none; `notes` are remarks for the log.
    """

    config: Config
    targets: tuple[str, ...]
    require: tuple[str, ...]
    workers: tuple[WorkerGroup, ...]
    log_level: str
    log_format: str
    config_file: Path | None
    notes: tuple[str, ...]

    @property
    def processes(self) -> int:
        """The number of worker processes."""
        return sum(group.count for group in self.workers)


@dataclass(slots=True, frozen=True)
class _File:
    path: Path | None
    values: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def load_config(
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
) -> Settings:
    """Put the settings together.

    Parameters: `flags` are the options given on the command line, by the names of
    `options.OPTIONS`, and `targets` and `config` (a path); a missing key, None or an empty list
    is an option not given. `cwd` is where files are looked for.
    Raises ConfigError for a value or a name that cannot be right, saying where it stands.
    """
    given = {name: value for name, value in flags.items() if value not in (None, (), [])}
    file = _read_file(given, environ, cwd or Path.cwd())
    values = {option.name: _value(option, given, environ, file) for option in OPTIONS}
    workers: Sequence[WorkerGroup] = values["processes"] or (WorkerGroup(1),)
    unserved = _unserved(workers, values["queues"] or (), from_flag="queues" in given)
    config = _make_config(values)
    return Settings(
        config=config,
        targets=tuple(given.get("targets", ())),
        require=values["require"] or (),
        workers=tuple(workers),
        log_level="debug" if values["verbose"] else values["log_level"] or "info",
        log_format=values["log_format"] or "text",
        config_file=file.path,
        notes=(*file.notes, *unserved),
    )


# -- one value -------------------------------------------------------------------------------------------


def _value(option: Option, flags: Mapping[str, Any], environ: Mapping[str, str], file: _File) -> Any:
    """The value of `option` from the strongest source that gives one; None: none does."""
    if option.name in flags:
        return option.read(flags[option.name], option.flag_name)
    for name in option.variables:
        if environ.get(name):
            return option.read(environ[name], name)
    if file.path is not None and option.name in file.values:
        return option.read(file.values[option.name], f"{option.name} in {file.path.name}")
    for name in option.below_file:
        if environ.get(name):
            return option.read(environ[name], name)
    return None


def _make_config(values: Mapping[str, Any]) -> Config:
    config = Config()
    specs: Mapping[str, CapsuleSpec] = values["capsules"] or {}
    for name, spec in specs.items():
        capsule = config.capsule(name)
        capsule.queues = spec.queues or capsule.queues
        capsule.concurrency = spec.concurrency or capsule.concurrency
    for option in OPTIONS:
        if option.attribute and values[option.name] is not None:
            setattr(config, option.attribute, values[option.name])
    config.validate()
    return config


def _unserved(workers: Sequence[WorkerGroup], queues: Sequence[QueueSpec], *, from_flag: bool) -> list[str]:
    """Notes on the `queues` that get no worker, where `workers` have queues of their own.

    Raises ConfigError if the queues come from a flag: it would count for nothing.
    """
    served = {name for group in workers for name in group.queues}
    if served and from_flag:
        hint = "Give `-p NUMBER` as well: so many workers, each for the queues of -q."
        raise ConfigError("--queue", "no queues, as processes has a number for each queue", "queues", hint)
    left = [queue.name for queue in queues if served and queue.name not in served]
    return [f"processes gives no worker to queue {name}, which queues lists: it is not served here" for name in left]


# -- the file ----------------------------------------------------------------------------------------------


def _read_file(flags: Mapping[str, Any], environ: Mapping[str, str], cwd: Path) -> _File:
    named = flags.get("config") or environ.get("PILLION_CONFIG")
    if named:
        path = cwd / str(named)
        if not path.is_file():
            raise ConfigError("--config", "a file that exists", str(named))
        return _parse(path, flags, environ)
    for name in FILES:
        if (cwd / name).is_file() and (found := _parse(cwd / name, flags, environ)).path is not None:
            return found
    return _File(None, {})


def _parse(path: Path, flags: Mapping[str, Any], environ: Mapping[str, str]) -> _File:
    """Read one file. Its `path` is None if it is a pyproject.toml that says nothing about Pillion."""
    name = path.name
    if name.endswith(".toml"):
        table = _load_toml(path)
        if table is None:
            return _File(None, {})
        sections = table.pop(SECTIONS, {})
    elif name.endswith((".yml", ".yaml", ".yml.erb", ".yaml.erb")):
        table = sidekiq_yml.parse(_text(path), environ, name)
        sections = _take_sections(table)
    else:
        raise ConfigError("--config", "a .toml, .yml or .yaml file", str(path))
    chosen = _chosen_section(table, sections, flags, environ, name)
    notes = [f"{name}: {key} has no effect: {RUBY_ONLY[key]}" for key in (*table, *chosen) if key in RUBY_ONLY]
    merged = _merge(_known(table, name), _known(chosen, name))
    return _File(path, cast("dict[str, Any]", _expand(merged, environ, name)), tuple(dict.fromkeys(notes)))


def _load_toml(path: Path) -> dict[str, Any] | None:
    try:
        table = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(path.name, "valid TOML", str(exc)) from None
    return table.get("tool", {}).get("pillion") if path.name == "pyproject.toml" else table


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(path.name, "a readable UTF-8 file", str(exc)) from None


def _take_sections(table: dict[str, Any]) -> dict[str, Any]:
    """Take out of a YAML table what are sections of environments: tables that are, nor nearly are, an option's."""
    tables = [key for key, value in table.items() if isinstance(value, Mapping) and key not in NAMES]
    return {name: table.pop(name) for name in tables if not difflib.get_close_matches(name, TABLES, 1, 0.8)}


def _chosen_section(
    table: Mapping[str, Any],
    sections: object,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    source: str,
) -> dict[str, Any]:
    if not isinstance(sections, Mapping):
        raise ConfigError(f"{SECTIONS} in {source}", "a table for each environment", sections)
    name = _value(NAMES["environment"], flags, environ, _File(Path(source), table)) or "development"
    return dict(cast("Mapping[str, Mapping[str, Any]]", sections).get(name, {}))


def _known(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    """`table` by the options' first names, without empty values. Raises ConfigError for an unknown name."""
    known: dict[str, Any] = {}
    refuse_unknown((key for key in table if key not in RUBY_ONLY), NAMES, source)
    for key, value in table.items():
        if value is None or key in RUBY_ONLY:
            continue
        name = NAMES[key].name
        if name in known:
            raise ConfigError(source, f"{name} once", key, "It stands there under two names.")
        known[name] = value
    return known


def _merge(table: dict[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """`section` over `table`. Two tables for `redis` are merged key by key: a section may change only the db."""
    merged = {**table, **section}
    below, above = table.get("redis"), section.get("redis")
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        merged["redis"] = {**below, **above}
    return merged


def _expand(value: object, environ: Mapping[str, str], source: str) -> object:
    """`value` with `${NAME}` and `${NAME:-fallback}` replaced in every text of it; `$${` stands for `${`."""
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value)
        return {key: _expand(item, environ, source) for key, item in pairs.items()}
    if isinstance(value, list):
        return [_expand(item, environ, source) for item in cast("list[object]", value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, fallback = match["name"], match["fallback"]
        if name is None:
            return "${"
        if fallback is None and name not in environ:
            hint = f"Set it, or write ${{{name}:-a fallback}}."
            raise ConfigError(source, f"the environment variable {name} to be set", None, hint)
        return environ.get(name) or fallback or ""

    return _VARIABLE.sub(replace, value)
