"""How the app named on the command line is found and imported, and what is said when it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillion.server.loader import BootError, load_app, module_name, require_jobs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project folder; what a test imports from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_module_is_found_in_the_working_directory(project: Path) -> None:
    write(project / "ferry_jobs.py", "loaded = True")
    load_app(["ferry_jobs"], [], project)
    assert sys.modules["ferry_jobs"].loaded


def test_a_file_becomes_the_module_that_other_processes_import(project: Path) -> None:
    write(project / "ferry" / "__init__.py")
    write(project / "ferry" / "crossings.py")
    load_app(["ferry/crossings.py"], [], project)
    assert "ferry.crossings" in sys.modules
    assert "crossings" not in sys.modules


def test_a_package_brings_its_jobs_module(project: Path) -> None:
    write(project / "ferry" / "__init__.py")
    write(project / "ferry" / "jobs.py")
    load_app(["ferry"], [], project)
    assert "ferry.jobs" in sys.modules


def test_a_package_can_be_named_by_its_folder(project: Path) -> None:
    write(project / "ferry" / "__init__.py")
    load_app(["./ferry"], [], project)
    assert "ferry" in sys.modules


def test_a_file_elsewhere_is_loaded_under_its_own_name(project: Path) -> None:
    path = write(project / "elsewhere" / "night-ferry.py", "loaded = True")
    (project / "home").mkdir()
    load_app([str(path)], [], project / "home")
    assert sys.modules["night-ferry"].loaded


def test_a_file_elsewhere_can_import_its_neighbours(project: Path) -> None:
    write(project / "elsewhere" / "ferry_neighbour.py")
    path = write(project / "elsewhere" / "ferry_main.py", "import ferry_neighbour")
    (project / "home").mkdir()
    load_app([str(path)], [], project / "home")
    assert "ferry_neighbour" in sys.modules


def test_required_modules_come_before_the_targets(project: Path) -> None:
    write(project / "ferry_settings.py", "import sys; sys.ferry_order = ['settings']")
    write(project / "ferry_app.py", "import sys; sys.ferry_order.append('app')")
    load_app(["ferry_app"], ["ferry_settings"], project)
    assert sys.ferry_order == ["settings", "app"]  # type: ignore[attr-defined]


def test_an_attribute_that_is_a_function_is_called(project: Path) -> None:
    write(project / "ferry_app.py", "made = []\ndef create_app(name='x'): made.append(name)")
    load_app(["ferry_app:create_app"], [], project)
    assert sys.modules["ferry_app"].made == ["x"]


def test_an_attribute_that_is_an_object_only_has_to_exist(project: Path) -> None:
    write(project / "ferry_app.py", "class Shop:\n    app = object()")
    load_app(["ferry_app:Shop.app"], [], project)


def error_of(project: Path, *targets: str) -> str:
    with pytest.raises(BootError) as caught:
        load_app(targets, [], project)
    return str(caught.value)


def test_an_unknown_module_says_where_it_was_looked_for(project: Path) -> None:
    message = error_of(project, "ferry.night")
    assert "no module 'ferry' (needed for 'ferry.night')" in message
    assert "ferry.py and ferry/__init__.py" in message
    assert str(project) in message


def test_a_missing_file_is_named_with_its_full_path(project: Path) -> None:
    assert f"no file {project / 'ferry.py'}" in error_of(project, "ferry.py")


def test_a_folder_without_init_says_what_to_name_instead(project: Path) -> None:
    (project / "ferry").mkdir()
    assert "without __init__.py" in error_of(project, "./ferry")


def test_a_target_that_is_no_name_and_no_path_is_refused(project: Path) -> None:
    assert "'night-ferry' is neither a module name" in error_of(project, "night-ferry")


def test_an_import_that_the_app_lacks_is_told_apart_from_a_missing_app(project: Path) -> None:
    write(project / "ferry_app.py", "import no_such_library_at_all")
    message = error_of(project, "ferry_app")
    assert "ferry_app failed while it was being imported" in message
    assert "No module named 'no_such_library_at_all'" in message


def test_an_error_in_the_app_shows_its_traceback_and_nothing_of_ours(project: Path) -> None:
    write(project / "ferry_app.py", "def sink():\n    raise ValueError('leak')\nsink()")
    message = error_of(project, "ferry_app")
    assert "ValueError: leak" in message
    assert "in sink" in message
    assert "importlib" not in message
    assert "loader.py" not in message


def test_a_syntax_error_shows_its_line(project: Path) -> None:
    write(project / "ferry_app.py", "def :\n")
    assert "ferry_app.py" in error_of(project, "ferry_app")


def test_an_app_that_exits_on_import_cannot_take_the_worker_with_it_silently(project: Path) -> None:
    write(project / "ferry_app.py", "import sys; sys.exit(0)")
    assert "called sys.exit()" in error_of(project, "ferry_app")


def test_a_missing_attribute_is_named(project: Path) -> None:
    write(project / "ferry_app.py")
    assert "'ferry_app' has no attribute 'create_app'" in error_of(project, "ferry_app:create_app")


def test_a_factory_that_wants_arguments_is_refused(project: Path) -> None:
    write(project / "ferry_app.py", "def create_app(settings): ...")
    assert "needs arguments" in error_of(project, "ferry_app:create_app")


def test_a_factory_that_fails_shows_its_traceback(project: Path) -> None:
    write(project / "ferry_app.py", "def create_app(): raise ValueError('leak')")
    message = error_of(project, "ferry_app:create_app")
    assert "ferry_app:create_app() failed while it ran" in message
    assert "ValueError: leak" in message


def test_no_target_at_all_shows_how_to_name_one(project: Path) -> None:
    assert "pillion run shop.jobs" in error_of(project)


def test_an_app_without_jobs_is_told_how_to_define_one() -> None:
    with pytest.raises(BootError, match="class SendReceipt") as caught:
        require_jobs([], ["shop.web"])
    assert "shop.web" in str(caught.value)


def test_one_job_is_enough() -> None:
    require_jobs(["shop.jobs.SendReceipt"], ["shop.jobs"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/srv/shop/jobs.py", "jobs"),
        ("/srv/shop/app/jobs.py", "app.jobs"),
        ("/srv/shop/app/__init__.py", "app"),
        ("/srv/shop/app", "app"),
        ("/srv/shop/my-app/jobs.py", None),
        ("/srv/other/jobs.py", None),
    ],
)
def test_the_module_name_of_a_path(path: str, name: str | None) -> None:
    assert module_name(Path(path), Path("/srv/shop")) == name
