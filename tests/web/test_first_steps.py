"""The first page of an empty Redis: what it tells a newcomer to type works in the newcomer's other terminals."""

import pytest


@pytest.mark.parametrize("language", ["ar", "de", "en", "es", "fr", "ja", "zh"])
def test_both_other_terminals_are_told_to_use_the_same_redis(dash, language):
    page = dash().client("admin", **{"accept-language": language}).get("/").text
    assert f'lang="{language}"' in page
    for setting in ("REDIS_URL", "PILLION_DATA_DIR"):
        assert page.count(setting) == 2  # where the worker is started, and where the job is pushed
