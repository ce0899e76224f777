"""Names that are loaded when they are first used: one way for all packages that do so."""

import importlib
import subprocess
import sys

import pytest

from pillion._lazy import lazy_names

PACKAGES = ["pillion", "pillion.api", "pillion.testing"]


@pytest.mark.parametrize("package", [*PACKAGES, "pillion.middleware"])
def test_every_public_name_can_be_loaded_and_shows_up_in_dir(package):
    module = importlib.import_module(package)
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error_that_names_the_package(package):
    with pytest.raises(AttributeError, match=rf"^module '{package}' has no attribute 'nothing'$"):
        _ = importlib.import_module(package).nothing


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_none_of_its_modules(package):
    code = f"import sys, {package}; print(*(name for name in sys.modules if name.startswith('pillion')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) == {"pillion", "pillion._lazy", "pillion._version", package}


def test_a_name_is_looked_up_once_and_then_is_an_attribute():
    namespace: dict[str, object] = {}
    load, names = lazy_names("json", {"decoder": ("JSONDecoder",)}, namespace)
    assert names() == ["JSONDecoder"]
    loaded = load("JSONDecoder")
    assert namespace == {"JSONDecoder": loaded}
