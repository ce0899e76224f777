"""What a job can ask about its run: jid, queue_name, attempt, logger, bid, interrupted."""

import logging

import pytest
from own_home import OwnHome


class Context:
    def __init__(self, queue=None, *, stopping=False):
        self.queue = queue
        self._stopping = stopping

    def stopping(self):
        return self._stopping


@pytest.fixture(params=["class", "function"])
def definition(request):
    home = OwnHome()
    if request.param == "function":
        return home.job(lambda: None).__job__

    class Mine(home.Job):
        def perform(self): ...

    return Mine.__job__


def test_jid_and_bid_come_from_the_payload(definition):
    run = definition.new({"jid": "abc", "bid": "b1"}, Context())
    assert (run.jid, run.bid) == ("abc", "b1")


@pytest.mark.parametrize(("payload", "attempt"), [({}, 0), ({"retry_count": 0}, 1), ({"retry_count": 4}, 5)])
def test_attempt_counts_the_runs_before_this_one(definition, payload, attempt):
    assert definition.new(payload, Context()).attempt == attempt


def test_queue_name_is_the_queue_it_was_taken_from(definition):
    assert definition.new({"queue": "pushed-to"}, Context("moved-to")).queue_name == "moved-to"
    assert definition.new({"queue": "pushed-to"}, Context()).queue_name == "pushed-to"


def test_interrupted_tells_whether_the_process_is_stopping(definition):
    assert definition.new({}, Context(stopping=True)).interrupted is True
    assert definition.new({}, Context()).interrupted is False
    assert definition.new({}).interrupted is False


def test_the_logger_is_pillions(definition):
    logger = definition.new({}, Context()).logger
    assert isinstance(logger, logging.Logger)
    assert logger.name == "pillion.job"


def test_payloads_of_other_writers_may_lack_keys(definition):
    run = definition.new({}, Context())
    assert (run.jid, run.bid, run.queue_name, run.attempt) == ("", None, "", 0)


def test_a_job_called_by_hand_has_no_ids():
    home = OwnHome()

    class Mine(home.Job):
        def perform(self):
            return (self.jid, self.attempt, self.interrupted)

    assert Mine().perform() == ("", 0, False)
