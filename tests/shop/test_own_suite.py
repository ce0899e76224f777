"""The order shop's own tests, which are a part of the example, pass: in a run of their own, without Redis."""

from __future__ import annotations

import os
import sys

from shop_process import copy_example, run_quietly

# As an installed plugin, whether or not this checkout has been installed since the entry point was added.
AS_PLUGIN = ("-p", "no:pillion", "-p", "pillion.testing.pytest_plugin", "-p", "no:cacheprovider")


def test_the_shops_own_tests_pass(tmp_path):
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "REDIS_", "PILLION_"))
    }
    folder = copy_example(tmp_path)
    result = run_quietly(sys.executable, "-m", "pytest", "-q", *AS_PLUGIN, cwd=folder, environ=environ)
    assert result.returncode == 0, result.stdout + result.stderr


def test_pillion_lint_has_nothing_to_say(tmp_path):
    folder = copy_example(tmp_path)
    result = run_quietly(sys.executable, "-m", "pillion", "lint", "shop", "stages", "fakes", cwd=folder)
    assert result.returncode == 0, result.stdout
