import pytest

from shop import store


@pytest.fixture(autouse=True)
def database(tmp_path, monkeypatch):
    """An empty shop with one order, in a file of its own."""
    monkeypatch.setenv("SHOP_DB", str(tmp_path / "shop.db"))
    store.create()
