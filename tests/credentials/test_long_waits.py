"""The rule of going live with real tokens under a clock that does not wait: days, outages, one fetch at a time."""

from __future__ import annotations

from datetime import datetime

import pytest

from providers.azure_marketplace.credentials import TokenSource
from providers.azure_marketplace.credentials._choice import SignIn
from providers.azure_marketplace.credentials._tokens import Token
from providers.azure_marketplace.errors import SignInFailed, StillRunning
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.publishing import Status
from providers.azure_marketplace.request import Request
from simulator.world import World
from tests.unit.worlds import OFFER, FakeClock, Told, WorldApi, accepted, world_with

PORTAL = "https://cloudpartner.azure.com"
MINUTE, HOUR, DAY = 60.0, 3600.0, 24 * 3600.0


class Service:
    """Gives tokens that live an hour; it is down, or refuses, from one second of the run to another."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.fetches: list[float] = []
        self.down = (0.0, 0.0)
        self.for_good = False

    def __call__(self, sign_in: SignIn, scope: str, *, worked_before: bool) -> Token:
        self.fetches.append(self.clock.monotonic())
        if self.down[0] <= self.clock.monotonic() < self.down[1]:
            raise SignInFailed("The sign-in service is down", transient=not self.for_good)
        return Token(f"t{len(self.fetches)}", self.clock.now().timestamp() + HOUR)


class SignedIn(WorldApi):
    """The portal, which takes no request without a token that still lives."""

    def __init__(self, world: World, clock: FakeClock, service: Service) -> None:
        super().__init__(world, clock)
        self.tokens = TokenSource({"useMsi": "true"}.get, {}, clock=clock, fetch=service)

    def _step(self, name: str) -> None:
        assert self.tokens.token(PORTAL)
        super()._step(name)


@pytest.mark.parametrize("outage", [5 * MINUTE, 50 * MINUTE, 5 * HOUR])
def test_a_sign_in_that_is_down_does_not_end_a_wait_of_days(outage: float) -> None:
    clock = FakeClock()
    service, told = Service(clock), Told()
    world = world_with(clock, seconds=3 * DAY)
    service.down = (DAY, DAY + outage)
    rule = GoingLive(SignedIn(world, clock, service), clock, told, schedule=Schedule(5.0, 300.0))
    launch = rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + 4 * DAY)
    assert launch.status is Status.SUCCEEDED
    assert accepted(world) == 1
    borne = [at for at in service.fetches if DAY <= at < DAY + outage]
    assert len(borne) <= outage / MINUTE + 10, "it is left in peace"
    assert len(service.fetches) - len(borne) <= 3 * 24 * 60 / 55 + 3, "one fetch for each token's life"
    assert sum("The sign-in service is down" in note for note in told.notes) <= 2, "told once, and not at each poll"


def test_a_sign_in_that_is_refused_for_good_ends_the_wait_and_keeps_the_operation() -> None:
    clock = FakeClock()
    service = Service(clock)
    world = world_with(clock, seconds=3 * DAY)
    service.down, service.for_good = (DAY, 9 * DAY), True
    rule = GoingLive(SignedIn(world, clock, service), clock, Told(), schedule=Schedule(5.0, 300.0))
    with pytest.raises(StillRunning, match="without a sign-in") as failure:
        rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + 4 * DAY)
    assert failure.value.launch is not None
    assert failure.value.launch.operation_id
    assert DAY < clock.monotonic() < DAY + 2 * HOUR, "when the last token has run out, and no later"
    assert isinstance(clock.now(), datetime)
