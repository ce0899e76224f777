"""The garbage collector while the server is imported."""

from __future__ import annotations

import gc

import pytest

from pillion.cli.run import kept_for_good


def test_imports_are_spared_the_collector_and_it_works_again_after_them() -> None:
    frozen = gc.get_freeze_count()
    try:
        with pytest.raises(ImportError), kept_for_good():
            assert not gc.isenabled()
            made = [{"number": number} for number in range(10)]
            raise ImportError
        assert gc.isenabled()
        assert gc.get_freeze_count() >= frozen + len(made)
    finally:
        gc.enable()
        gc.unfreeze()
