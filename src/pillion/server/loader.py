"""Loader: brings the app into a worker process, by module name or file.

A job's name on the wire is `module.QualName`, so a file must become the same module that the web
process imports: `app/jobs.py` below the working directory is loaded as `app.jobs`, never as `jobs`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType

from pillion.errors import PillionError

NO_JOBS = """No job is defined in what was loaded ({loaded}).
A job is a class or a function, and it is known once its module has been imported:

    from pillion import Job

    class SendReceipt(Job):
        def perform(self, order_id: int) -> None:
            ...

Name the module it is in, for example: pillion run shop.jobs"""

NO_TARGET = """Nothing to run was named. Say which module or file defines your jobs, for example:

    pillion run shop.jobs
    pillion run shop/jobs.py"""


class BootError(PillionError):
    """The app could not be loaded into the worker. The message says what was looked for and what to do."""


def load_app(targets: Sequence[str], require: Sequence[str], directory: Path) -> None:
    """Import everything the worker was told to: `-r` modules first, then the targets (behaviour 11).

    Parameters: an entry is a module or package name, a path to a `.py` file or package directory, or
    `module:attribute`; if the attribute is a plain function it is called, as app factories want to be.
    Of a package its `jobs` module is imported too if it has one. `directory` is where paths and names
    start; it is put on `sys.path`. Raises BootError for whatever goes wrong, also in the app's own code.
    """
    if not targets and not require:
        raise BootError(NO_TARGET)
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    for entry in (*require, *targets):
        _load(entry, directory)


def require_jobs(names: Sequence[str], loaded: Sequence[str]) -> None:
    """Raise BootError if no job is registered: such a worker would put every job into the retry set."""
    if not names:
        raise BootError(NO_JOBS.format(loaded=", ".join(loaded)))


def _load(entry: str, directory: Path) -> None:
    target, _, attribute = entry.partition(":")
    module = _load_path(target, directory) if _is_path(target, directory) else _import(target, directory)
    if attribute:
        _use_attribute(module, attribute)
    elif hasattr(module, "__path__") and importlib.util.find_spec(f"{module.__name__}.jobs") is not None:
        _import(f"{module.__name__}.jobs", directory)


def _is_path(target: str, directory: Path) -> bool:
    return target.endswith(".py") or "/" in target or (target.startswith(".") and (directory / target).exists())


def _load_path(target: str, directory: Path) -> ModuleType:
    path = (directory / target).resolve()
    if not path.exists():
        raise BootError(f"There is no file {path}. Was looked for because of {target!r}.")
    if path.is_dir() and not (path / "__init__.py").exists():
        raise BootError(f"{path} is a directory without __init__.py. Name a module or a file in it.")
    name = module_name(path, directory)
    if name is not None:
        return _import(name, directory)
    if path.is_dir():
        sys.path.insert(0, str(path.parent))
        return _import(path.name, directory)
    return _execute_file(path)


def module_name(path: Path, directory: Path) -> str | None:
    """The dotted name by which `path` can be imported from `directory`; None if it cannot be."""
    try:
        relative = path.relative_to(directory.resolve())
    except ValueError:
        return None
    parts = relative.with_suffix("").parts
    if parts and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None


def _execute_file(path: Path) -> ModuleType:
    """Load a file whose place or name no import statement could reach, under its bare name."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BootError(f"{path} is not Python source. Name a module or a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        raise _failed(str(path), exc) from exc
    return module


def _import(name: str, directory: Path) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise BootError(f"{name!r} is neither a module name (shop.jobs) nor a path to a .py file (shop/jobs.py).")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and (name == exc.name or name.startswith(f"{exc.name}.")):
            raise BootError(_not_found(name, exc.name, directory)) from exc
        raise _failed(name, exc) from exc
    except (Exception, SystemExit) as exc:
        raise _failed(name, exc) from exc


def _not_found(name: str, missing: str, directory: Path) -> str:
    path = missing.replace(".", "/")
    return (
        f"There is no module {missing!r}"
        + (f" (needed for {name!r})" if missing != name else "")
        + f". Looked for {path}.py and {path}/__init__.py in {directory} and on the Python path. "
        "Start the worker in the project's root folder, or give the path to the file."
    )


def _failed(name: str, exc: BaseException, during: str = "it was being imported") -> BootError:
    what = "called sys.exit()" if isinstance(exc, SystemExit) else "failed"
    stack = "".join(traceback.format_exception(type(exc), exc, _from_the_app(exc.__traceback__))).rstrip()
    return BootError(f"{name} {what} while {during}:\n\n{stack}")


def _from_the_app(stack: TracebackType | None) -> TracebackType | None:
    """The part of a traceback below our own frames and those of the import machinery."""
    step = stack
    while step is not None and _is_machinery(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return step


def _is_machinery(filename: str) -> bool:
    return filename in (__file__, importlib.__file__) or filename.startswith("<frozen importlib")


def _use_attribute(module: ModuleType, attribute: str) -> None:
    value: object = module
    for part in attribute.split("."):
        try:
            value = getattr(value, part)
        except AttributeError as exc:
            raise BootError(f"The module {module.__name__!r} has no attribute {attribute!r}.") from exc
    if inspect.isfunction(value):
        _call_factory(f"{module.__name__}:{attribute}", value)


def _call_factory(name: str, factory: object) -> None:
    assert callable(factory)
    try:
        inspect.signature(factory).bind()
    except TypeError as exc:
        raise BootError(f"{name} is a function that needs arguments; an app factory is called with none.") from exc
    try:
        factory()
    except (Exception, SystemExit) as exc:
        raise _failed(f"{name}()", exc, "it ran") from exc
