"""Who comes in: functions of the application, passwords, tokens, and the link of `pillion web`."""

import base64
import logging
import threading

import pytest
from web_scene import HOST

from pillion.errors import ConfigError
from pillion.web import BasicAuth, BearerTokens, FirstOf, User, Visitor, app
from pillion.web.errors import TooManyAttempts
from pillion.web.security.backoff import Backoff, pause_s
from pillion.web.security.token_link import TokenLink


def visitor(**headers):
    return Visitor(method="GET", path="/", headers=headers, address="127.0.0.1", scope={})


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class TestFunctions:
    def test_auth_must_be_said(self):
        with pytest.raises(ConfigError, match=r"auth: expected a function that says who.*returns User.*auth=None lets"):
            app()

    @pytest.mark.parametrize("auth", [True, "admin", {"ana": "secret"}])
    def test_what_is_no_function_is_refused(self, auth):
        with pytest.raises(ConfigError, match="auth: expected a function"):
            app(auth=auth)

    def test_a_function_decides_by_cookies_and_headers(self, dash, filled):
        seen = []

        def who(visitor):
            seen.append(visitor)
            return User("ana", "viewer") if visitor.cookies.get("session") == "ana's" else None

        client = dash(auth=who).client("", cookie="broken=\"x; session=ana's; other=1")
        assert client.get("/queues").status_code == 200
        assert (seen[0].method, seen[0].path) == ("GET", "/queues")
        assert dash(auth=who).client("").get("/").status_code == 401

    def test_it_may_be_async(self, dash, filled):
        async def who(visitor):
            return User("ana", "viewer")

        assert dash(auth=who).client("").get("/queues").status_code == 200

    def test_an_object_with_an_async_call_will_do(self, dash, filled):
        class Who:
            async def __call__(self, visitor):
                return User("ana", "viewer")

        assert dash(auth=Who()).client("").get("/queues").status_code == 200

    def test_one_that_blocks_does_not_hold_up_the_loop(self, dash, filled):
        threads = []

        def who(visitor):
            threads.append(threading.current_thread().name)
            return User("ana", "viewer")

        dash(auth=who).client("").get("/queues")
        assert threads[0].startswith("pillion-web-auth")

    @pytest.mark.parametrize("answer", [True, 1, "admin", ("ana", "admin"), {}])
    def test_an_answer_that_says_no_role_lets_nobody_in(self, answer, dash, filled, caplog):
        response = dash(auth=lambda visitor: answer).client("").get("/queues")
        assert response.status_code == 500
        assert "User" not in response.text
        assert "Expected a function of one Visitor" in caplog.text

    def test_one_that_raises_lets_nobody_in_and_shows_nothing(self, dash, filled, caplog):
        def who(visitor):
            raise RuntimeError("password of the database")

        response = dash(auth=who).client("").get("/queues")
        assert response.status_code == 500
        assert "password" not in response.text
        assert "Traceback" not in response.text
        assert "password of the database" in caplog.text

    @pytest.mark.parametrize(("name", "role"), [("", "admin"), ("x" * 201, "admin"), (None, "admin"), ("ana", "root")])
    def test_a_user_has_a_name_and_a_role(self, name, role):
        with pytest.raises(ConfigError, match="User"):
            User(name, role)


USERS = {"ana": ("correct horse", "admin"), "bob": ("battery staple", "viewer")}


class TestPasswords:
    def test_the_browser_is_asked_for_them(self, dash, filled):
        answer = dash(auth=BasicAuth(USERS)).client("").get("/")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")

    def test_the_right_one_lets_in(self):
        user = BasicAuth(USERS)(visitor(authorization=basic("bob", "battery staple")))
        assert user == User("bob", "viewer")

    @pytest.mark.parametrize(
        "header",
        [
            basic("ana", "wrong"),
            basic("ana", ""),
            basic("nobody", ""),
            basic("nobody", "correct horse"),
            "Basic ?",
            "Basic " + base64.b64encode(b"\xff\xfe").decode(),
            "Bearer correct horse",
            "",
        ],
    )
    def test_anything_else_does_not(self, header):
        assert BasicAuth(USERS)(visitor(authorization=header)) is None

    def test_whoever_guesses_waits(self, dash, filled):
        client = dash(auth=BasicAuth(USERS)).client("", authorization=basic("ana", "guess"))
        assert [client.get("/").status_code for _ in range(5)] == [401] * 5
        answer = client.get("/")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1

    def test_one_name_does_not_wait_for_another(self):
        auth = BasicAuth(USERS)
        for _ in range(5):
            auth(visitor(authorization=basic("ana", "guess")))
        with pytest.raises(TooManyAttempts):
            auth(visitor(authorization=basic("ana", "correct horse")))
        assert auth(visitor(authorization=basic("bob", "battery staple"))) is not None

    def test_the_right_one_ends_the_waiting(self):
        now_s = [0.0]
        backoff = Backoff(lambda: now_s[0])
        for _ in range(6):
            backoff.note("ana", passed=False)
        now_s[0] = 1.9
        with pytest.raises(TooManyAttempts):
            backoff.check("ana")
        now_s[0] = 2.1
        backoff.check("ana")
        backoff.note("ana", passed=True)
        backoff.note("ana", passed=False)
        backoff.check("ana")

    def test_pauses_grow_to_half_a_minute(self):
        assert [pause_s(failures) for failures in (0, 4, 5, 6, 7, 10, 10_000)] == [0, 0, 1, 2, 4, 30, 30]

    def test_made_up_names_take_no_memory(self):
        backoff = Backoff()
        for number in range(3000):
            backoff.note(str(number), passed=False)
        assert len(backoff._failures) == 1000

    @pytest.mark.parametrize("users", [{}, {"ana": ("", "admin")}, {"a:b": ("x", "admin")}, {"ana": ("x", "root")}])
    def test_users_that_cannot_be_are_refused(self, users):
        with pytest.raises(ConfigError):
            BasicAuth(users)


class TestTokens:
    def test_a_short_token_is_refused(self):
        with pytest.raises(
            ConfigError, match=r"20 characters or more, got 'one of 5 characters'.*token_urlsafe"
        ) as short:
            BearerTokens({"short": User("ci", "viewer")})
        assert "'short'" not in str(short.value)  # messages end in logs

    def test_no_token_at_all_is_refused(self):
        with pytest.raises(ConfigError, match=r"at least one.*got 'none'"):
            BearerTokens({})

    def test_a_wrong_token_does_not_let_in(self):
        auth = BearerTokens({"t" * 30: User("ci", "viewer")})
        assert auth(visitor(authorization="Bearer " + "t" * 30)) == User("ci", "viewer")
        assert auth(visitor(authorization="bearer " + "t" * 30)) is not None
        assert auth(visitor(authorization="Bearer " + "t" * 31)) is None
        assert auth(visitor(authorization="t" * 30)) is None

    def test_the_first_who_knows_decides(self):
        tokens = BearerTokens({"t" * 30: User("ci", "viewer")})
        both = FirstOf(BasicAuth({"ana": ("secret", "admin")}), tokens)
        assert both(visitor(authorization=basic("ana", "secret"))).name == "ana"
        assert both(visitor(authorization="Bearer " + "t" * 30)).name == "ci"
        assert both(visitor()) is None
        assert both.challenge.startswith("Basic")


class TestLink:
    """The link of `pillion web`."""

    def link(self, **options):
        self.told = []
        self.now_s = 0.0
        link = TokenLink(
            User("me", "admin"), cookie="session", tell=self.told.append, clock=lambda: self.now_s, **options
        )
        link.announce()
        return link

    def client(self, dash, link):
        return dash(auth=link, hosts=[HOST]).client("")

    def test_it_lets_in_once_and_a_cookie_from_then_on(self, dash, filled):
        client = self.client(dash, self.link())
        answer = client.get(f"/login?token={self.told[0]}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert self.told[0] not in cookie
        assert client.get("/queues").status_code == 200
        client.cookies.clear()
        assert client.get("/queues").status_code == 401
        assert client.get(f"/login?token={self.told[0]}").status_code == 401

    def test_a_program_that_only_looks_does_not_use_it_up(self, dash, filled):
        client = self.client(dash, self.link())
        assert client.head(f"/login?token={self.told[0]}").status_code == 405
        assert client.get(f"/login?token={self.told[0]}").status_code == 303

    @pytest.mark.parametrize("token", ["", "wrong", "x" * 10_000, "\x00"])
    def test_a_wrong_token_does_not_let_in(self, token, dash, filled):
        client = self.client(dash, self.link())
        answer = client.get("/login", params={"token": token})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert client.get(f"/login?token={self.told[0]}").status_code == 303

    def test_an_old_link_makes_a_new_one_appear_in_the_terminal(self):
        link = self.link()
        assert link.redeem(self.told[0]) is not None
        assert link.redeem(self.told[0]) is None
        assert len(self.told) == 1  # at once: not for every try of a stranger
        self.now_s = 11.0
        assert link.redeem(self.told[0]) is None
        assert len(self.told) == 2
        assert link.redeem(self.told[1]) is not None

    def test_a_fixed_secret_works_again_and_again(self, dash, filled):
        secret = "s" * 20
        client = self.client(dash, self.link(fixed=secret))
        for _ in range(2):
            assert client.get(f"/login?token={secret}").status_code == 303
        assert secret not in self.told[0]
        client.cookies.clear()
        client.headers["authorization"] = f"Bearer {secret}"
        assert client.get("/api/v1/stats").status_code == 200

    def test_a_fixed_secret_that_is_short_is_refused(self):
        with pytest.raises(ConfigError, match="20 characters"):
            self.link(fixed="short")

    def test_there_is_no_such_route_without_it(self, dash, filled):
        assert dash().client("admin").get("/login?token=x").status_code == 404

    def test_it_answers_this_machine_only(self, dash, filled):
        assert dash(auth=self.link()).client("").get(f"/login?token={self.told[0]}").status_code == 403

    def test_sessions_do_not_pile_up(self):
        link = self.link(fixed="s" * 20)
        for _ in range(300):
            link.redeem("s" * 20)
        assert len(link._sessions) == 100

    def test_tokens_are_not_logged(self, dash, filled, caplog):
        caplog.set_level(logging.DEBUG)
        client = self.client(dash, self.link())
        client.get(f"/login?token={self.told[0]}")
        assert self.told[0] not in "".join(
            record.getMessage() for record in caplog.records if record.name[:7] == "pillion"
        )
