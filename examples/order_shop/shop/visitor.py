"""Somebody who visits the shop's pages, without a browser."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Self

import httpx

from shop import catalogue


class Refused(Exception):
    """The shop did not take the order; the message says what its page said."""


class Visitor:
    """Places orders by the form at `url`."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, follow_redirects=True, timeout=30)

    @classmethod
    def of_environ(cls, environ: Mapping[str, str]) -> Self:
        """A visitor of the shop that `make shop` has started."""
        return cls(environ.get("SHOP_URL") or f"http://127.0.0.1:{environ.get('SHOP_PORT') or 3000}")

    def place_order(self, product: str, quantity: int, email: str, address: str) -> httpx.Response:
        """Place an order and return its page, which the shop leads to. Raises Refused, httpx.TransportError."""
        number = next((each.id for each in catalogue.available_products() if each.name == product), "")
        fields = {"product_id": number, "quantity": quantity, "email": email, "address": address}
        answer = self._http.post("/orders", data=fields)
        if answer.status_code != 200:
            raise Refused(_what_it_says(answer))
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def _what_it_says(answer: httpx.Response) -> str:
    """The error that the form shows, or else the text of the page."""
    _, mark, rest = answer.text.partition("<aside data-error>")
    said = rest.partition("</aside>")[0] if mark else answer.text
    return f"{answer.status_code}: {html.unescape(said)}"
