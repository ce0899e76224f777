import os

import pytest

from pillion.errors import EmbeddedRedisError
from pillion.storage.embedded_binary import find_binary


def _server(folder, version):
    folder.mkdir(parents=True)
    program = folder / "redis-server"
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    program.chmod(0o755)
    return str(folder)


def test_a_newer_server_further_down_path_is_found_for_data_that_the_first_cannot_read(tmp_path):
    (tmp_path / "data" / "appendonlydir").mkdir(parents=True)
    path = os.pathsep.join([_server(tmp_path / "venv", "6.2.14"), _server(tmp_path / "system", "7.0.15")])
    found = find_binary(tmp_path / "data", {"PATH": path})
    assert found.version == (7, 0, 15)


def test_the_first_that_will_do_is_taken(tmp_path):
    path = os.pathsep.join([_server(tmp_path / "venv", "6.2.14"), _server(tmp_path / "system", "7.0.15")])
    assert find_binary(tmp_path / "data", {"PATH": path}).version == (6, 2, 14)


def test_every_server_that_will_not_do_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = os.pathsep.join([_server(tmp_path / "a", "5.0.1"), _server(tmp_path / "b", "6.0.9")])
    with pytest.raises(EmbeddedRedisError, match=r"5\.0\.1.*too old.*6\.0\.9.*too old"):
        find_binary(tmp_path / "data", {"PATH": path})
