"""`import pillion` is light, and its public names are there all the same (PEP 562)."""

import subprocess
import sys

import pytest


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


LOADED = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, *sys.modules)"
HEAVY = {"redis", "msgspec", "click", "rich", "asyncio", "pillion.server", "pillion.cli", "pillion.default"}


def test_import_pillion_loads_nothing_heavy():
    assert HEAVY & set(run(f"import pillion; {LOADED}")) == set()


def test_defining_a_job_loads_neither_redis_nor_the_server():
    code = f"from pillion import Job, job\nclass A(Job):\n    def perform(self): ...\n{LOADED}"
    assert {"redis", "click", "rich", "asyncio", "pillion.server", "pillion.cli"} & set(run(code)) == set()


def test_every_public_name_is_there():
    assert run("import pillion; [getattr(pillion, name) for name in pillion.__all__]; print('fine')") == ["fine"]


def test_star_import_brings_the_public_names():
    assert run("from pillion import *; print(Job.__name__, Worker is Job)") == ["Job", "True"]


def test_public_names_show_up_in_dir():
    assert run("import pillion; print(set(pillion.__all__) <= set(dir(pillion)))") == ["True"]


@pytest.mark.parametrize("first", ["import pillion.jobs.base", "import pillion.jobs", "import pillion.default"])
def test_job_is_the_decorator_whatever_was_imported_before(first):
    assert run(f"{first}\nfrom pillion import job\nprint(type(job).__name__)") == ["JobDecorator"]


def test_an_unknown_name_is_an_attribute_error():
    code = "import pillion\ntry: pillion.nothing\nexcept AttributeError as error: print(error)"
    assert " ".join(run(code)) == "module 'pillion' has no attribute 'nothing'"


def test_job_and_worker_are_one_class():
    assert run("from pillion import Job, Worker; print(Job is Worker)") == ["True"]
