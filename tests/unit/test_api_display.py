"""What a person is shown of a job (wire-format 4.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.api.display import ACTIVE_JOB_WRAPPERS, ENCRYPTED, shown_args, shown_class

NEW, OLD = "Sidekiq::ActiveJob::Wrapper", "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"


def rails(wrapped: str, *arguments, wrapper: str = NEW, **more):
    inner = {"job_class": wrapped, "job_id": "5c", "queue_name": "default", "arguments": [*arguments], "executions": 0}
    return {"class": wrapper, "wrapped": wrapped, "args": [inner], **more}


# -- the class -------------------------------------------------------------------------------------


def test_a_plain_job_is_shown_by_its_class():
    assert shown_class({"class": "app.Mail"}) == "app.Mail"


def test_a_label_of_its_own_goes_before_everything():
    assert shown_class({"class": "app.Mail", "wrapped": "Inner", "display_class": "Mail to Ann"}) == "Mail to Ann"
    assert shown_class(rails("CleanUp", display_class="Nightly")) == "Nightly"


def test_any_wrapper_is_shown_by_what_it_wraps():
    assert shown_class({"class": "app.Wrapper", "wrapped": "app.Inner"}) == "app.Inner"


@pytest.mark.parametrize("wrapper", [NEW, OLD])
def test_a_rails_job_is_shown_by_its_own_class(wrapper):
    assert shown_class(rails("CleanUp", 1, wrapper=wrapper)) == "CleanUp"


def test_a_very_old_rails_job_has_its_class_as_first_argument():
    assert shown_class({"class": OLD, "args": ["CleanUp", 1]}) == "CleanUp"


def test_a_rails_job_without_wrapped_is_shown_by_what_its_map_says():
    item = rails("CleanUp")
    del item["wrapped"]
    assert shown_class(item) == "CleanUp"


@pytest.mark.parametrize("delivery", ["ActionMailer::DeliveryJob", "ActionMailer::MailDeliveryJob"])
def test_a_mail_is_shown_by_mailer_and_method(delivery):
    assert shown_class(rails(delivery, "UserMailer", "welcome", "deliver_now", 1)) == "UserMailer#welcome"


@pytest.mark.parametrize("arguments", [(), ("UserMailer",), (1, 2, 3), (None, "welcome")])
def test_a_mail_that_does_not_say_which_is_shown_by_its_job(arguments):
    assert shown_class(rails("ActionMailer::DeliveryJob", *arguments)) == "ActionMailer::DeliveryJob"


def test_a_payload_without_a_class_has_no_label():
    assert shown_class({}) == ""


# -- the arguments -----------------------------------------------------------------------------------


def test_a_plain_jobs_arguments_are_shown_as_they_are():
    assert shown_args({"class": "app.Mail", "args": [1, {"_aj_x": 2}]}) == [1, {"_aj_x": 2}]


@pytest.mark.parametrize("wrapper", [NEW, OLD])
def test_a_rails_jobs_arguments_are_those_inside(wrapper):
    assert shown_args(rails("CleanUp", 1, "x", [2], wrapper=wrapper)) == [1, "x", [2]]


def test_records_are_shown_by_their_id():
    record = {"_aj_globalid": "gid://app/User/1"}
    assert shown_args(rails("CleanUp", record, [record], {"user": record})) == [
        "gid://app/User/1",
        ["gid://app/User/1"],
        {"user": "gid://app/User/1"},
    ]


def test_bookkeeping_is_left_out_at_any_depth():
    options = {"a": {"b": 1, "_aj_symbol_keys": ["b"]}, "_aj_ruby2_keywords": ["a"]}
    symbol = {"_aj_serialized": "ActiveJob::Serializers::SymbolSerializer", "value": "fast"}
    assert shown_args(rails("CleanUp", options, symbol)) == [{"a": {"b": 1}}, {"value": "fast"}]


def test_an_old_mails_arguments_follow_mailer_method_and_time():
    item = rails("ActionMailer::DeliveryJob", "UserMailer", "welcome", "deliver_now", {"_aj_globalid": "gid://u/1"}, 2)
    assert shown_args(item) == ["gid://u/1", 2]


def test_a_mails_params_and_arguments_are_shown():
    mail = {"params": {"id": 1, "_aj_symbol_keys": ["id"]}, "args": [2], "_aj_ruby2_keywords": ["params", "args"]}
    item = rails("ActionMailer::MailDeliveryJob", "UserMailer", "welcome", "deliver_now", mail)
    assert shown_args(item) == [{"id": 1}, [2]]


def test_a_mail_without_params_has_none():
    item = rails("ActionMailer::MailDeliveryJob", "UserMailer", "welcome", "deliver_now", {"args": [2]})
    assert shown_args(item) == [None, [2]]


@pytest.mark.parametrize("rest", [(), ("odd",), (5, 6)])
def test_a_mail_of_an_odd_shape_shows_what_is_there(rest):
    item = rails("ActionMailer::MailDeliveryJob", "UserMailer", "welcome", "deliver_now", *rest)
    assert shown_args(item) == [*rest]


def test_the_last_argument_of_an_encrypted_job_is_masked():
    assert shown_args({"args": [1, "c2VjcmV0"], "encrypt": True}) == [1, ENCRYPTED]
    assert shown_args(rails("CleanUp", 1, "secret", encrypt=True)) == [1, ENCRYPTED]
    assert shown_args({"args": [], "encrypt": True}) == []
    assert shown_args({"args": [1], "encrypt": False}) == [1]


def test_the_payload_itself_is_not_changed():
    item = {"args": [1, "c2VjcmV0"], "encrypt": True}
    shown_args(item).append("x")
    assert item["args"] == [1, "c2VjcmV0"]


# -- hostile shapes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args", [None, "text", 5, {"a": 1}, [], ["x"], [{}], [{"arguments": None}], [{"arguments": 1}]]
)
def test_a_wrapper_of_an_odd_shape_shows_its_arguments_as_stored(args):
    assert shown_args({"class": NEW, "wrapped": "CleanUp", "args": args}) == (args if isinstance(args, list) else [])
    assert shown_class({"class": NEW, "wrapped": "CleanUp", "args": args}) == "CleanUp"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["_aj_globalid", NEW]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["arguments", "_aj_globalid", "_aj_x", "params", "args", "job_class"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
classes = st.sampled_from([*ACTIVE_JOB_WRAPPERS, "app.Job"]) | anything
wrapped = st.sampled_from(["ActionMailer::DeliveryJob", "ActionMailer::MailDeliveryJob", "X"]) | anything


keys = {"class": classes, "wrapped": wrapped, "args": anything, "display_class": anything, "encrypt": anything}


@given(st.fixed_dictionaries({}, optional=keys))
def test_no_shape_at_all_raises(item):
    assert isinstance(shown_class(item), str)
    assert isinstance(shown_args(item), list)
