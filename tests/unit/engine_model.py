"""What Pulumi's engine does with one resource, as far as the rule can tell: state, partial state, diff, update.

It keeps what the real engine keeps, and forgets what that forgets: a killed run records nothing, a failed one only
what its error carries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from providers.azure_marketplace.errors import LaunchError, OfferGoLiveError
from providers.azure_marketplace.going_live import GoingLive, Turns
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.publishing import PublishingApi
from providers.azure_marketplace.request import Request, asked_anew
from providers.azure_marketplace.sight import stands
from providers.azure_marketplace.watching import Limits
from tests.unit.worlds import OFFER, FakeClock, Killed, Told

DAY = 24 * 3600.0


@dataclass
class Stack:
    """One stack with one resource. `rule` is the class under test, so that mutants of it can stand in.

    new_api: the client that each run makes for itself, since nothing outlives a run but the state. through: the API
    that it is of, where there is a choice.
    """

    new_api: Callable[[], PublishingApi]
    clock: FakeClock
    rule: type[GoingLive] = GoingLive
    pin: str | None = None
    triggers: int = 0
    wait: bool = True
    resubmit: bool = True
    through: str | None = None
    state: dict[str, Any] | None = None
    told: Told = field(default_factory=Told)

    @property
    def launch(self) -> Launch | None:
        return Launch.from_outputs(self.state) if self.state else None

    def up(self, *, timeout: float = DAY, kill_before_step: int | None = None) -> OfferGoLiveError | None:
        """One `pulumi up`; the error that the user is shown. A killed run shows nothing."""
        recorded = self.launch
        old = self.state or {}
        changed, triggered = asked_anew(
            recorded,
            other_pin=bool(self.state) and old["pin"] != self.pin,
            other_triggers=bool(self.state) and old["triggers"] != self.triggers,
        )
        moved = recorded is not None and recorded.through != self.through
        if recorded and not changed and not moved and stands(recorded, self.pin):
            return None
        self.clock.pass_by(2.0)  # nothing of Pulumi's starts faster
        steps = iter(range(kill_before_step or 0))

        def before_step() -> None:
            if kill_before_step is not None and next(steps, None) is None:
                raise Killed

        self.clock.before_step = before_step
        rule = self.rule(self.new_api(), self.clock, self.told, schedule=Schedule(), limits=Limits(), turns=Turns())
        request = Request(
            OFFER, self.pin, self.wait, changed=changed, triggered=triggered, moved=moved, resubmit=self.resubmit
        )
        try:
            launch = rule.bring_about(request, recorded, deadline=self.clock.monotonic() + timeout)
        except LaunchError as error:
            if error.launch:
                self._record(error.launch)
            return error
        except OfferGoLiveError as error:
            return error
        except Killed:
            return None
        finally:
            self.clock.before_step = lambda: None
        self._record(launch)
        return None

    def refresh(self) -> None:
        recorded = self.launch
        if self.state is None or recorded is None:
            return
        rule = self.rule(self.new_api(), self.clock, self.told)
        moved = recorded.through != self.through
        seen = rule.refreshed(OFFER, recorded, pin=self.pin, moved=moved)
        if seen is None:
            self.state = None
        else:
            self.state.update(replace(seen, through=seen.through or self.through).to_outputs())

    def _record(self, launch: Launch) -> None:
        self.state = {**replace(launch, through=self.through).to_outputs(), "pin": self.pin, "triggers": self.triggers}
