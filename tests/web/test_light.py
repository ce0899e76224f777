"""What pushes and runs jobs does not load the dashboard; without its extra it says what to install."""

import subprocess
import sys

import pytest

PRINT_LOADED = (
    "import sys; print([name for name in sys.modules if name.split('.')[0] in {names!r} or 'pillion.web' in name])"
)


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import pillion; pillion.Job; pillion.Client",
        "import pillion.api; pillion.api.Queue; pillion.api.RetrySet; pillion.api.Stats",
        "import pillion.cli.main, pillion.cli.stats",
        "import pillion.server.supervisor, pillion.server.worker",
    ],
)
def test_the_rest_of_pillion_does_not_load_it(code):
    names = ("starlette", "jinja2", "uvicorn", "a2wsgi", "anyio")
    assert run(f"{code}\n{PRINT_LOADED.format(names=names)}") == "[]"


def test_pillion_web_itself_loads_nothing_before_it_is_used():
    assert (
        run("import pillion.web, sys; print([n for n in sys.modules if n.startswith(('starlette', 'jinja2'))])") == "[]"
    )


def test_its_routes_and_roles_load_no_framework():
    loaded = run(
        "import pillion.web.routes, sys; print([n for n in sys.modules if n.startswith(('starlette', 'jinja2'))])"
    )
    assert loaded == "[]"


@pytest.mark.parametrize(
    "first", ["pillion.web.django", "pillion.web.wsgi_app", "pillion.web.asgi_app", "pillion.cli.web"]
)
def test_its_names_are_functions_whatever_was_imported_first(first):
    code = "from pillion.web import Ask, Extension, Route, Tab, User, app, wsgi; print(callable(app), callable(wsgi))"
    assert run(f"import {first}\n{code}") == "True True"


@pytest.mark.parametrize("name", ["app", "wsgi"])
def test_without_the_extra_it_says_what_to_install(name):
    code = f"""
import sys
sys.modules["starlette"] = None
try:
    from pillion.web import {name}
except ImportError as error:
    print(error)
"""
    assert run(code) == 'pillion.web needs starlette.requests: pip install "pillion[web]"' or "pillion[web]" in run(
        code
    )
