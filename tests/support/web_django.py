"""A Django project around some URLs, for tests of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest
from django.urls import clear_url_caches, set_urlconf

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "web_django.log_in",
]


def log_in(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware: whoever sends the header `X-Staff` is a member of staff of this name; `root` may do everything."""

    def handle(request: HttpRequest) -> Any:
        name = request.headers.get("x-staff", "")
        request.user = SimpleNamespace(  # type: ignore[attr-defined]
            is_authenticated=bool(name), is_staff=bool(name), is_superuser=name == "root", get_username=lambda: name
        )
        return get_response(request)

    return handle


def django_project(urlpatterns: Sequence[Any]) -> None:
    """From now on, new handlers of Django in this process serve these URLs; other tests need nothing of this."""
    if not settings.configured:
        settings.configure(INSTALLED_APPS=[], DATABASES={}, USE_TZ=True)
        django.setup()
    urls = ModuleType("urls_of_a_test")
    urls.urlpatterns = list(urlpatterns)  # type: ignore[attr-defined]
    for name, value in {
        "ROOT_URLCONF": urls,
        "ALLOWED_HOSTS": ["*"],
        "SECRET_KEY": "x",
        "MIDDLEWARE": MIDDLEWARE,
    }.items():
        setattr(settings, name, value)
    clear_url_caches()
    set_urlconf(None)
