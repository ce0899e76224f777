"""The fake services keep to what is agreed."""

import httpx
import pytest

from shop.settings import settings


@pytest.fixture
def payments():
    with httpx.Client(base_url=settings().payments_url) as client:
        yield client


@pytest.fixture
def fulfillment():
    with httpx.Client(base_url=settings().fulfillment_url) as client:
        yield client


@pytest.fixture
def email():
    with httpx.Client(base_url=settings().email_url) as client:
        yield client


CHARGE = {"customer_id": "cust_1", "payment_method_id": "pm_1", "amount_cents": 100, "metadata": {}}


def with_key(cents=100):
    return {**CHARGE, "amount_cents": cents, "metadata": {"idempotency_key": "k"}}


def test_each_call_charges(payments):
    ids = {payments.post("/charge", json=CHARGE).json()["charge_id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_key_charges_once(payments):
    ids = {payments.post("/charge", json=with_key()).json()["charge_id"] for _ in range(3)}
    assert len(ids) == len(payments.get("/charges").json()) == 1


def test_a_key_that_was_charged_is_answered_as_before_whatever_is_asked_now(payments):
    """The price may have changed between two tries. What was paid was paid."""
    first = payments.post("/charge", json=with_key(100))
    again = payments.post("/charge", json=with_key(9999))
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert len(payments.get("/charges").json()) == 1


def test_a_delivery_that_was_requested_is_answered_as_before_whatever_is_asked_now(fulfillment):
    wanted = {"customer_id": "cust_1", "address": "1 Main Street", "metadata": {"idempotency_key": "k"}}
    first = fulfillment.put("/request", json=wanted)
    again = fulfillment.put("/request", json={**wanted, "address": ""})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert fulfillment.get("/status").json()["num_requests"] == 1


@pytest.mark.parametrize("address", ["", "  ", None])
def test_nothing_is_delivered_to_nowhere(fulfillment, address):
    answer = fulfillment.put("/request", json={"address": address, "metadata": {"idempotency_key": "k"}})
    assert (answer.status_code, answer.json()["status"]) == (422, "rejected")
    assert fulfillment.get("/requests").json() == []


def test_a_declined_charge_may_be_tried_again_with_its_key(payments):
    assert payments.post("/charge", json=with_key(9999)).json()["explanation"] == "Insufficient funds"
    answer = payments.post("/charge", json=with_key(100))
    assert (answer.status_code, answer.json()["status"]) == (201, "success")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-Throttle": "true"}, {429}),
        ({"X-Crash": "true"}, {503, 504}),
        ({"X-Throttle": "true", "X-Crash": "true"}, {429}),
        ({"X-Be-Slow": "0.01", "X-Crash": "true"}, {503, 504}),
        ({"X-Be-Slow": "soon"}, {201}),
        ({"X-Be-Slow": "inf"}, {201}),
        ({"X-Be-Slow": "nan"}, {201}),
        ({"X-Crash": "TRUE"}, {201}),
        ({"Accept": "image/png"}, {406}),
        ({"Accept": "text/html"}, {201}),
    ],
)
def test_headers_say_how_to_misbehave(payments, headers, code):
    assert payments.post("/charge", json=CHARGE, headers=headers).status_code in code
    assert len(payments.get("/charges").json()) == (1 if code == {201} else 0)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b""])
def test_what_is_no_json_object_is_refused(payments, body):
    assert payments.post("/charge", content=body).status_code == 422


def test_a_mail_is_sent_before_the_crash(email):
    mail = {"to": "a@example.com", "template_id": "t", "template_data": {"order_id": 1}}
    assert email.post("/send", json=mail, headers={"X-Crash": "true"}).status_code == 503
    [found] = email.get("/emails", params={"email": "a@example.com", "template_id": "t"}).json()
    assert found["template_data"] == {"order_id": 1}
    assert email.get("/emails", params={"email": "b@example.com"}).json() == []


@pytest.mark.parametrize("missing", ["to", "template_id"])
def test_a_mail_without_its_parts_is_not_queued(email, missing):
    mail = {"to": "a@example.com", "template_id": "t", missing: ""}
    answer = email.post("/send", json=mail)
    assert (answer.status_code, answer.json()["status"]) == (422, "not-queued")


def test_pages_show_texts_and_no_html(email):
    email.post("/send", json={"to": "<b>bold</b>", "template_id": "t"})
    page = email.get("/ui").text
    assert "<b>bold</b>" not in page
    email.delete("/emails")
    assert "NONE YET" in email.get("/ui").text
