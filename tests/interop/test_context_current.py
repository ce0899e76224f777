"""Current attributes cross over: Sidekiq's own middleware reads what Pillion stores, and the other way round (F128).

Rails is not there, so ActiveSupport::CurrentAttributes is played by a class with the two methods that are called.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from own_home import OwnHome

from pillion.middleware import CurrentAttributes, carry

STAND_IN = """
module ActiveSupport
  class CurrentAttributes
    class << self
      def attributes = (@attributes ||= {})
      def set(values)
        before, @attributes = attributes, attributes.merge(values.transform_keys(&:to_sym))
        yield
      ensure
        @attributes = before
      end
    end
  end
end
"""
LOAD = """
$LOAD_PATH.unshift(folder)
require "sidekiq/middleware/current_attributes"
klass = Class.new(ActiveSupport::CurrentAttributes)
"""


class Current(CurrentAttributes):
    user_id: int | None = None
    tenant: str = "public"
    roles: list[str] = []  # noqa: RUF012 - a default, which nobody changes


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    (tmp_path / "active_support").mkdir()
    (tmp_path / "active_support" / "current_attributes.rb").write_text(STAND_IN)
    return str(tmp_path)


@pytest.fixture
def home():
    home = OwnHome()
    carry(home.settings, Current)
    return home


def test_ruby_reads_what_python_stores(ruby, stand_in, home):
    with Current.set(user_id=2**70, tenant="ácme ☃", roles=["admin", "ops"]):
        home.client().push({"class": "Orders::CompleteJob", "args": []})
    code = LOAD + "Sidekiq::CurrentAttributes::Load.new(klass).call(nil, job, nil) { klass.attributes.to_a }"
    assert ruby(code, folder=stand_in, job=home.sent.pushed[0]) == [
        ["user_id", 2**70],
        ["tenant", "ácme ☃"],
        ["roles", ["admin", "ops"]],
    ]


def test_ruby_pushes_again_what_python_stored(ruby, stand_in, home):
    with Current.set(user_id=7):
        home.client().push({"class": "Orders::CompleteJob", "args": []})
    code = LOAD + "Sidekiq::CurrentAttributes::Save.new(klass).call(nil, job, nil, nil) { job }"
    assert ruby(code, folder=stand_in, job=home.sent.pushed[0])["cattr"] == {"user_id": 7}


def test_python_reads_what_ruby_stores(ruby, stand_in, home):
    code = LOAD + (
        "klass.set(user_id: 7, tenant: 'blue', roles: ['ops'], gone: 1) {"
        " Sidekiq::CurrentAttributes::Save.new(klass).call(nil, job, nil, nil) { job } }"
    )
    payload = json.loads(json.dumps(ruby(code, folder=stand_in, job={"class": "Report", "args": []})))
    assert payload["cattr"] == {"user_id": 7, "tenant": "blue", "roles": ["ops"], "gone": 1}
    seen = []
    home.settings.server_middleware.invoke("job", payload, "python", lambda: seen.append(Current.attributes()))
    assert seen == [{"user_id": 7, "tenant": "blue", "roles": ["ops"]}]
    assert Current.attributes() == {}
