"""Tokens are shared by all who wait, renewed in time, and a service that is down is left in peace."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest

from providers.azure_marketplace.credentials import TokenSource
from providers.azure_marketplace.credentials._choice import SignIn
from providers.azure_marketplace.credentials._tokens import THREAD, Token
from providers.azure_marketplace.errors import Interrupted, SignInFailed

PORTAL = "https://cloudpartner.azure.com"
GRAPH = "https://graph.microsoft.com"
HOUR = 3600.0


class StoppedClock:
    def __init__(self) -> None:
        self.moment = 1_600_000_000.0

    def monotonic(self) -> float:
        return self.moment - 1_500_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.moment, timezone.utc)

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing here sleeps, not even {seconds} s")

    def chance(self) -> float:
        return 0.5


class Service:
    """Gives t1, t2, ...; or raises what is put in `failure`; or waits for `gate`."""

    def __init__(self, clock: StoppedClock) -> None:
        self.clock = clock
        self.scopes: list[str] = []
        self.life = HOUR
        self.refresh_in: float | None = None
        self.failure: Exception | None = None
        self.same: str | None = None
        self.gate: threading.Event | None = None
        self.worked_before: list[bool] = []

    def __call__(self, sign_in: SignIn, scope: str, *, worked_before: bool) -> Token:
        self.scopes.append(scope)
        self.worked_before.append(worked_before)
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        now = self.clock.moment
        refresh_on = None if self.refresh_in is None else now + self.refresh_in
        return Token(self.same or f"t{len(self.scopes)}", now + self.life, refresh_on)

    @property
    def fetches(self) -> int:
        return len(self.scopes)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def service(clock: StoppedClock) -> Service:
    return Service(clock)


@pytest.fixture
def tokens(service: Service) -> TokenSource:
    return source(service)


def source(service: Service, cancelled: Callable[[], threading.Event] = threading.Event) -> TokenSource:
    configuration = {"useMsi": "true"}
    return TokenSource(lambda key: configuration.get(key), {}, clock=service.clock, fetch=service, cancelled=cancelled)


def eventually(fact: Callable[[], bool]) -> None:
    """Fetches in the background run on threads of their own."""
    until = time.monotonic() + 5
    while not fact():
        assert time.monotonic() < until
        time.sleep(0.001)


def settled() -> None:
    eventually(lambda: all(thread.name != THREAD for thread in threading.enumerate()))


def test_a_hundred_offers_wait_for_one_fetch(tokens: TokenSource, service: Service) -> None:
    service.gate = threading.Event()
    together = threading.Barrier(101)

    def wait() -> str:
        together.wait()
        return tokens.token(PORTAL)

    with ThreadPoolExecutor(100) as threads:
        waiting = [threads.submit(wait) for _ in range(100)]
        together.wait()
        eventually(lambda: service.fetches == 1)
        service.gate.set()
        assert {each.result() for each in waiting} == {"t1"}
    assert service.scopes == [f"{PORTAL}/.default"]


def test_a_hundred_offers_whose_token_was_rejected_wait_for_one_fetch(tokens: TokenSource, service: Service) -> None:
    first = tokens.token(PORTAL)
    with ThreadPoolExecutor(100) as threads:
        again = set(threads.map(lambda _: tokens.token(PORTAL, rejected=first), range(100)))
    assert (again, service.fetches) == ({"t2"}, 2)


def test_a_hundred_offers_are_told_of_one_failure_each_by_an_error_of_its_own(
    tokens: TokenSource, service: Service
) -> None:
    service.failure = SignInFailed("down", next_step="Wait.", transient=True)

    def fail(_: int) -> SignInFailed:
        with pytest.raises(SignInFailed) as failure:
            tokens.token(PORTAL)
        return failure.value

    with ThreadPoolExecutor(100) as threads:
        failures = list(threads.map(fail, range(100)))
    assert service.fetches == 1
    assert len({id(failure) for failure in failures}) == 100
    assert {(str(failure), failure.transient) for failure in failures} == {("down. Wait.", True)}


def test_each_audience_has_tokens_of_its_own(tokens: TokenSource, service: Service) -> None:
    assert (tokens.token(PORTAL), tokens.token(GRAPH), tokens.token(PORTAL)) == ("t1", "t2", "t1")
    assert service.scopes == [f"{PORTAL}/.default", f"{GRAPH}/.default"]


def test_a_token_is_renewed_behind_its_users_before_it_runs_out(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    assert tokens.token(PORTAL) == "t1"
    clock.moment += HOUR - 301
    assert (tokens.token(PORTAL), service.fetches) == ("t1", 1)
    clock.moment += 2
    assert tokens.token(PORTAL) == "t1"  # which still holds: nobody waits
    settled()
    assert (tokens.token(PORTAL), service.fetches) == ("t2", 2)


def test_a_token_is_renewed_when_the_service_says_so(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    service.life, service.refresh_in = 24 * HOUR, 12 * HOUR
    tokens.token(PORTAL)
    clock.moment += 12 * HOUR + 1
    assert tokens.token(PORTAL) == "t1"
    settled()
    assert tokens.token(PORTAL) == "t2"


def test_a_token_that_is_about_to_end_is_not_used(tokens: TokenSource, clock: StoppedClock) -> None:
    tokens.token(PORTAL)
    clock.moment += HOUR - 29
    assert tokens.token(PORTAL) == "t2"


@pytest.mark.parametrize("life", [0.5, 5.0, 60.0])
def test_short_lives_are_used_and_renewed_in_time(
    tokens: TokenSource, service: Service, clock: StoppedClock, life: float
) -> None:
    service.life = life
    assert (tokens.token(PORTAL), tokens.token(PORTAL), service.fetches) == ("t1", "t1", 1)
    clock.moment += life * 0.95
    assert tokens.token(PORTAL) == "t2"


def test_a_machine_with_a_wrong_clock_does_not_ask_for_every_request(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    service.life = -2 * HOUR
    assert {tokens.token(PORTAL) for _ in range(50)} == {"t1"}
    clock.moment += 60
    assert tokens.token(PORTAL) == "t2"


def test_a_source_that_gives_its_old_token_again_is_not_asked_all_the_time(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    service.same, service.life, service.refresh_in = "cached", 200.0, -1.0
    for _ in range(100):
        tokens.token(PORTAL)
        settled()
        clock.moment += 0.5
    assert 3 <= service.fetches <= 4


def test_a_rejected_token_is_replaced_at_once(tokens: TokenSource) -> None:
    assert tokens.token(PORTAL, rejected=tokens.token(PORTAL)) == "t2"
    assert tokens.token(PORTAL) == "t2"


def test_who_was_late_to_hear_of_the_new_token_gets_it(tokens: TokenSource, service: Service) -> None:
    tokens.token(PORTAL, rejected=tokens.token(PORTAL))
    assert (tokens.token(PORTAL, rejected="t1"), service.fetches) == ("t2", 2)


def test_when_the_new_token_is_rejected_too_it_is_not_the_tokens_fault(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    second = tokens.token(PORTAL, rejected=tokens.token(PORTAL))
    assert (tokens.token(PORTAL, rejected=second), service.fetches) == (second, 2)
    clock.moment += 31
    assert tokens.token(PORTAL, rejected=second) == "t3"


def test_a_present_token_outlives_a_service_that_is_down(
    tokens: TokenSource, service: Service, clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens.token(PORTAL)
    service.failure = SignInFailed("down", transient=True)
    for _ in range(250):
        clock.moment = max(clock.moment, 1_600_000_000.0 + HOUR - 301) + 1
        assert tokens.token(PORTAL) == "t1"
        settled()
    assert 6 <= service.fetches <= 12
    assert "down. The present token is used on." in caplog.text
    clock.moment += 60
    with pytest.raises(SignInFailed, match="down"):
        tokens.token(PORTAL)
    service.failure = None
    clock.moment += 60
    assert tokens.token(PORTAL).startswith("t")


def test_a_service_that_is_down_is_left_in_peace_ever_longer(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    service.failure = SignInFailed("down", transient=True)
    asked = []
    for second in range(200):
        before = service.fetches
        with pytest.raises(SignInFailed, match="down"):
            tokens.token(PORTAL)
        if service.fetches > before:
            asked.append(second)
        clock.moment += 1
    assert asked == [0, 2, 6, 14, 30, 62, 122, 182]
    service.failure = None
    clock.moment += 60
    assert tokens.token(PORTAL).startswith("t")


def test_a_service_that_is_down_for_days_is_still_asked(
    tokens: TokenSource, service: Service, clock: StoppedClock
) -> None:
    service.failure = SignInFailed("down", transient=True)
    for _ in range(1100):  # the 1024th doubling is no number any more
        with pytest.raises(SignInFailed, match="down"):
            tokens.token(PORTAL)
        clock.moment += 60
    assert service.fetches == 1100


def test_the_fetch_is_told_whether_it_ever_worked(tokens: TokenSource, service: Service) -> None:
    tokens.token(PORTAL, rejected=tokens.token(PORTAL))
    assert service.worked_before == [False, True]


def test_a_cancelled_caller_leaves_at_once_and_the_others_get_their_token(service: Service) -> None:
    service.gate = threading.Event()
    events = {name: threading.Event() for name in ("leaves", "stays")}
    mine = threading.local()
    tokens = source(service, cancelled=lambda: events[mine.name])

    def wait(name: str) -> str:
        mine.name = name
        return tokens.token(PORTAL)

    with ThreadPoolExecutor(2) as threads:
        leaves, stays = threads.submit(wait, "leaves"), threads.submit(wait, "stays")
        eventually(lambda: service.fetches == 1)
        events["leaves"].set()
        with pytest.raises(Interrupted):
            leaves.result(timeout=1)
        service.gate.set()
        assert stays.result(timeout=1) == "t1"
    with pytest.raises(Interrupted):
        wait("leaves")


def test_a_mistake_inside_a_fetch_is_told_by_its_kind_alone(tokens: TokenSource, service: Service) -> None:
    service.failure = KeyError("canary")
    with pytest.raises(SignInFailed, match=r"failed unexpectedly \(KeyError\)") as failure:
        tokens.token(PORTAL)
    assert "canary" not in "".join(traceback.format_exception(failure.value))


def test_the_way_is_logged_once_with_its_sources(tokens: TokenSource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tokens.token(PORTAL)
    tokens.token(GRAPH)
    assert caplog.messages == ["Signing in by managed identity (azuremarketplace:useMsi)"]


def test_nothing_of_a_source_is_pickled_or_shown() -> None:
    tokens = TokenSource(lambda key: "canary", {"ARM_CLIENT_SECRET": "canary"})
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            take(tokens)
    assert "canary" not in repr(tokens) + repr(Token("canary", 1.0)) + str(Token("canary", 1.0))


def test_a_lifetime_that_cannot_be_reckoned_with_is_told_and_leaves_nobody_waiting() -> None:
    def fetch(*_: object, **__: object) -> Token:
        return Token("a-token", 2e9, 10**400)

    configuration = {"tenantId": "t", "clientId": "c", "clientSecret": "s"}
    source = TokenSource(configuration.get, {}, fetch=fetch)
    with pytest.raises(SignInFailed, match="OverflowError"):
        source.token("https://cloudpartner.azure.com")
