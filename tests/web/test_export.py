"""Exports: all jobs that match, as CSV and as one JSON a line."""

import csv
import io
import json

import pytest
from web_scene import BIG, RETRY_JID, failed


@pytest.fixture
def client(dash, filled):
    return dash().client("operator")


def rows(answer):
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_csv_has_a_head_and_a_row_for_each_job(client):
    (row,) = rows(client.get("/export/retries.csv"))
    assert (row["jid"], row["queue"], row["error_class"]) == (RETRY_JID, "mail", "TimeoutError")
    assert str(BIG) in row["args"]


def test_ndjson_has_a_line_for_each_job(client, filled):
    filled.zadd("retry", {json.dumps(failed(f"{number:024}")): number + 1 for number in range(1200)})
    lines = client.get("/export/retries.ndjson").text.splitlines()
    assert len({json.loads(line)["jid"] for line in lines}) == 1201


def test_it_is_a_file_with_a_name(client):
    answer = client.get("/export/dead.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="dead.csv"'
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_what_matches(client, filled):
    filled.zadd("retry", {json.dumps(failed("f" * 24, error_class="KeyError")): 1})
    (row,) = rows(client.get("/export/retries.csv", params={"q": "error:KeyError"}))
    assert row["jid"] == "f" * 24


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_calculates_nothing(text, client, filled):
    filled.delete("retry")
    filled.zadd("retry", {json.dumps(failed("f" * 24, error_message=text, **{"class": text})): 1})
    answer = client.get("/export/retries.csv")
    cells = [cell for row in csv.reader(io.StringIO(answer.text, newline="")) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_a_message_with_line_ends_and_quotes_is_one_cell(client, filled):
    filled.delete("retry")
    filled.zadd("retry", {json.dumps(failed("f" * 24, error_message='a "b"\n,c')): 1})
    (row,) = rows(client.get("/export/retries.csv"))
    assert row["error_message"] == 'a "b"\n,c'


def test_an_empty_set_is_a_head_alone(client, filled):
    filled.delete("retry")
    assert rows(client.get("/export/retries.csv")) == []
    assert client.get("/export/retries.ndjson").text == ""


def test_a_set_that_is_none_is_not_found(client):
    assert client.get("/export/processes.csv").status_code == 404


def test_a_viewer_takes_nothing_away(dash, filled):
    assert dash().client("viewer").get("/export/retries.csv").status_code == 403
