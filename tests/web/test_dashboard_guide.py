"""The guide on the dashboard: its Python runs as it stands, and what it mounts answers."""

from pathlib import Path

import pytest
from django.core.handlers.wsgi import WSGIHandler
from doc_examples import run_page
from web_client import client_of, wsgi_client_of
from web_django import django_project
from web_scene import HOST

from pillion import default
from pillion.config import Config

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "dashboard.md"
ANA = {"cookie": "session=ana's"}


@pytest.fixture
def page(redis_url, monkeypatch):
    default.reset()
    default.install(Config(redis=redis_url))
    yield run_page(GUIDE, monkeypatch)
    default.reset()


def test_fastapi(page):
    client = client_of(page["api"], f"http://{HOST}")
    assert client.get("/jobs/queues", headers=ANA).status_code == 200
    assert client.get("/jobs/queues").status_code == 401


def test_flask(page):
    with wsgi_client_of(page["flask"], f"http://{HOST}") as client:
        assert client.get("/jobs/queues", headers=ANA).status_code == 200
        assert client.get("/jobs/queues").status_code == 401


def test_django(page):
    django_project(page["urlpatterns"])
    with wsgi_client_of(WSGIHandler(), f"http://{HOST}") as client:
        assert client.get("/admin/jobs/queues", headers={"x-staff": "ana"}).status_code == 200
        assert client.get("/admin/jobs/audit", headers={"x-staff": "ana"}).status_code == 403
        assert client.get("/admin/jobs/audit", headers={"x-staff": "root"}).status_code == 200
        assert client.get("/admin/jobs/queues").status_code == 401


def test_behind_a_proxy(page):
    client = client_of(page["behind_a_proxy"], "http://127.0.0.1:9000")
    headers = {**ANA, "origin": "https://jobs.example.com"}
    assert client.post("/queues/mail/pause", headers=headers, follow_redirects=False).status_code == 303


def test_its_own_logins(page):
    client = client_of(page["alone"], f"http://{HOST}")
    assert client.get("/queues", auth=("bob", "staple")).status_code == 200
    assert client.get("/queues").status_code == 401


def test_an_extension(page):
    client = client_of(page["extended"], f"http://{HOST}", headers=ANA)
    assert client.get("/api/v1/coupons").json() == {"names": ["spring", "summer"]}
    assert "Coupons" in client.get("/queues").text
