"""Who may see the dashboard that the shop has."""

import pytest
from fastapi.testclient import TestClient

from shop import dashboard
from shop.settings import settings

STRANGER, OWNER = ("shop", "wrong"), ("shop", "secret")


@pytest.fixture
def visit(monkeypatch):
    """Visit the dashboard of a shop with this password, under this name."""
    from shop.web import create_app

    def get(password="", *, host="localhost", auth=None):
        monkeypatch.setenv("SHOP_DASHBOARD_PASSWORD", password)
        settings.cache_clear()
        with TestClient(create_app(), base_url=f"http://{host}") as client:
            return client.get(f"{dashboard.PATH}/", auth=auth)

    yield get
    monkeypatch.undo()
    settings.cache_clear()


def test_without_a_password_it_is_open_on_this_machine_and_nowhere_else(visit):
    assert visit().status_code not in (401, 403, 404)
    assert visit(host="shop.example.com").status_code == 403


def test_with_a_password_it_asks_for_it(visit):
    assert visit("secret").status_code == 401
    assert visit("secret", auth=STRANGER).status_code == 401
    assert visit("secret", auth=OWNER).status_code not in (401, 403, 404)


def test_with_a_password_it_may_have_another_name(visit):
    assert visit("secret", host="shop.example.com", auth=OWNER).status_code not in (401, 403, 404)
