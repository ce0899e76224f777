"""What a dashboard takes of Redis: connections of its own, few, and soon given up."""

from web_scene import QUEUE

from pillion.config import Config
from pillion.web.desk import WebFleet


def test_it_connects_within_a_second_and_waits_two_for_an_answer():
    fleet = WebFleet(Config(redis="redis://127.0.0.1:1/0"))
    options = fleet.storage._pool.connection_kwargs
    assert (options["socket_connect_timeout"], options["socket_timeout"]) == (1.0, 2.0)
    fleet.close()


def test_its_connections_are_its_own(dash, filled, fleet):
    assert fleet.storage.run  # what the application has
    before = len(filled.client_list())
    client = dash(config=fleet.config).client("viewer")
    for _ in range(20):
        assert client.get(f"/queues/{QUEUE}").status_code == 200
    assert before < len(filled.client_list()) <= before + 10


def test_a_fleet_that_is_given_is_used(dash, filled, fleet):
    assert dash(fleet=fleet).client("viewer").get(f"/queues/{QUEUE}").status_code == 200
    assert fleet._storage is not None
