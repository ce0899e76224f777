"""The pages of the order shop and of its fake services, as a visitor without a browser sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta"}


@dataclass
class Element:
    """One element of a page, with the text in it and below."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements below with this tag, and with these attributes (`data_step` is data-step; "" fits any)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        found: list[Element] = []
        for child in self.children:
            fits = all(
                name in child.attributes and value in ("", child.attributes[name]) for name, value in wanted.items()
            )
            if tag in ("", child.tag) and fits:
                found.append(child)
            found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> Element:
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} elements {tag} {attributes} in: {self.text}"
        return found[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if any(element.tag == tag for element in self._open):
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.parts.append(data)


def read(html: str) -> Element:
    """The page as elements."""
    reader = _Reader()
    reader.feed(html)
    return reader.root


@dataclass(frozen=True)
class OrderPage:
    """What the page of an order shows: the state and the text of each of its three steps."""

    states: dict[str, str]
    texts: dict[str, str]

    @property
    def is_complete(self) -> bool:
        return set(self.states.values()) == {"done"}


class Pages:
    """Visits the shop at `url` and the fake services at `fakes`."""

    def __init__(self, url: str, fakes: str) -> None:
        self._http = httpx.Client(base_url=url, follow_redirects=True, timeout=60)
        self._fakes = httpx.Client(base_url=fakes, timeout=60)

    def close(self) -> None:
        self._http.close()
        self._fakes.close()

    # -- the shop ----------------------------------------------------------------------------------

    def get(self, path: str) -> Element:
        answer = self._http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return read(answer.text)

    def submit_order(self, product: str = "Flux Capacitor", **fields: Any) -> httpx.Response:
        """Fill in the form and send it. `product` is its name; other fields by their names."""
        options = self.get("/orders/new").one("select", name="product_id").all("option")
        number = next(option.attributes["value"] for option in options if option.text.startswith(product))
        filled = {"product_id": number, "quantity": "1", "email": "pat@example.com", "address": "1 Main Street"}
        return self._http.post("/orders", data={**filled, **fields})

    def place_order(self, product: str = "Flux Capacitor", **fields: Any) -> int:
        """Place an order; returns its number."""
        answer = self.submit_order(product, **fields)
        assert answer.status_code == 200, answer.text
        return int(answer.url.path.rpartition("/")[2])

    def order(self, order_id: int) -> OrderPage:
        steps = {row.attributes["data-step"]: row for row in self.get(f"/orders/{order_id}").all("tr", data_step="")}
        cells = {name: row.one("td", data_state="") for name, row in steps.items()}
        states = {name: cell.attributes["data-state"] for name, cell in cells.items()}
        return OrderPage(states, {name: cell.text for name, cell in cells.items()})

    def behave(self, service: str, **fields: Any) -> Element:
        """Set how a service behaves, by its form; returns the page that comes then."""
        form = self.get(f"/simulated_behaviors/{service}/edit").all("form")[0]
        answer = self._http.post(form.attributes["action"], data=fields)
        assert answer.status_code == 200, answer.text
        return read(answer.text)

    # -- the fake services ----------------------------------------------------------------------------

    def rows(self, service: str) -> list[dict[str, str]]:
        """The table that a fake service shows, heading to text."""
        page = read(self._fakes.get(f"/{service}/ui").text)
        table = page.all("tr")
        if not table:
            assert "NONE YET" in page.text
            return []
        headings = [cell.text for cell in table[0].all("th")]
        return [dict(zip(headings, (cell.text for cell in row.all("td")), strict=True)) for row in table[1:]]

    def charges(self) -> list[dict[str, str]]:
        """The charges that succeeded."""
        return [row for row in self.rows("payments") if row["Status"] == "success"]

    def call_service(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call a fake service as the shop would."""
        return self._fakes.request(method, path, **request)

    def clear_services(self) -> None:
        for path in ("payments/charges", "email/emails", "fulfillment/requests", "error-catcher/notifications"):
            self._fakes.delete(f"/{path}")
