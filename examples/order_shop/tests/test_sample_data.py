"""What a new shop has."""

import factories
import pytest
from sqlalchemy.exc import IntegrityError

from shop import catalogue, database, setup
from shop.models import User
from shop.settings import read_settings


def test_a_new_shop_has_a_user_and_four_products():
    assert catalogue.current_user().email == "pat@example.com"
    assert catalogue.current_user().payments_customer_id.startswith("cust_")
    stock = {
        product.name: (product.quantity_remaining, product.price_cents) for product in catalogue.available_products()
    }
    assert stock["Flux Capacitor"] == (100, 12300)
    assert len(stock) == 4


def test_setting_up_again_changes_nothing():
    setup.set_up_if_new()
    assert len(catalogue.available_products()) == 4


def test_names_and_addresses_are_unique_in_any_case():
    with pytest.raises(IntegrityError):
        factories.product(name="FLUX capacitor")
    with database.session() as session:
        session.add(User(email="Pat@Example.com"))
        with pytest.raises(IntegrityError):
            session.commit()


def test_production_is_not_reset(monkeypatch):
    monkeypatch.setattr(setup, "settings", lambda: read_settings({"APP_ENV": "production"}))
    with pytest.raises(RuntimeError, match="only development and test"):
        setup.forget_everything()


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_named_with_its_variable(text):
    with pytest.raises(ValueError, match=f"SHOP_CALL_TIMEOUT_S: expected seconds, .* but got '{text}'"):
        read_settings({"SHOP_CALL_TIMEOUT_S": text})


def test_the_lock_of_the_mail_outlasts_a_call_of_its_service():
    for call_timeout_s in ("30", "300"):
        found = read_settings({"SHOP_CALL_TIMEOUT_S": call_timeout_s})
        assert found.mail_lock_s > found.call_timeout_s


@pytest.mark.parametrize("url", ["postgres://u:p@db/shop", "postgresql://u:p@db/shop"])
def test_an_address_of_postgres_gets_its_driver(url):
    assert read_settings({"DATABASE_URL": url}).database_url == "postgresql+psycopg://u:p@db/shop"
