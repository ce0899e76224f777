"""The services of others that the shop calls over HTTP, one small class each: `services.payments().charge(...)`."""

from __future__ import annotations

from shop.services.base import ClientError, HTTPError, ServerError, Service, TooManyRequests
from shop.services.email import Email
from shop.services.error_catcher import ErrorCatcher
from shop.services.fulfillment import Fulfillment
from shop.services.payments import Charged, Declined, Payments
from shop.settings import settings

__all__ = [
    "Charged",
    "ClientError",
    "Declined",
    "Email",
    "ErrorCatcher",
    "Fulfillment",
    "HTTPError",
    "Payments",
    "ServerError",
    "Service",
    "TooManyRequests",
    "all_services",
    "email",
    "error_catcher",
    "fulfillment",
    "payments",
]


def payments() -> Payments:
    """Takes money."""
    return Payments(settings().payments_url)


def email() -> Email:
    """Sends mail."""
    return Email(settings().email_url)


def fulfillment() -> Fulfillment:
    """Packs and delivers."""
    return Fulfillment(settings().fulfillment_url)


def error_catcher() -> ErrorCatcher:
    """Collects errors for the people who look after the shop."""
    return ErrorCatcher(settings().error_catcher_url)


def all_services() -> list[Service]:
    """All of them, in the order of the welcome page."""
    return [error_catcher(), payments(), fulfillment(), email()]
