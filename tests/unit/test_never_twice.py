"""Nothing is submitted twice, whatever dies in between: the rule against a world that counts, step by step.

Hypothesis makes up histories of one stack and one offer: runs that are killed before any request, answers that are
lost, lists that lag behind, people who publish by hand. The world counts the go-lives that it accepted. All this runs
for the rule alone, and on each of the three APIs, and on all three in turn: the real clients, over the simulator's
handlers. The last tests take the proof's teeth out of the rule, one by one, and see that the proof notices.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from providers.azure_marketplace.errors import Conflict, LaunchLost, LaunchRefused, LaunchUnknown, PublishingError
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import Operation, PublishingApi, Status
from providers.azure_marketplace.request import Action, Request
from providers.azure_marketplace.sight import Sight, stands
from providers.azure_marketplace.submitting import Submitter
from simulator.world import Operation as WorldOperation
from tests.unit.engine_model import DAY, Stack
from tests.unit.wires import APIS, client_of, meant_by, wire_with
from tests.unit.worlds import FakeClock, WorldApi, accepted, world_with

SWITCHES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "world": {
        "slot_lag": st.sampled_from([0.0, 0.0, 20.0]),
        "recurring_ids": st.sampled_from([False, False, True]),
    },
    "cloudPartnerPortal": {
        "location_id": st.sampled_from(["guid", "guid", "dollar"]),
        "location_slot": st.sampled_from(["preview", "production"]),
        "listing_id": st.sampled_from(["guid", "guid", "dollar"]),
        "slot_lag_seconds": st.sampled_from([0.0, 0.0, 20.0]),
    },
    "productIngestion": {
        "refuses_by": st.sampled_from(["job", "answer"]),
        "live_entries": st.sampled_from(["two", "newest"]),
        "live_created": st.sampled_from(["own", "preview's"]),
        "failed_entry": st.sampled_from(["kept", "dropped"]),
        "canceled_entry": st.sampled_from(["failed", "cancelled", "dropped"]),
        "job_forgotten_after": st.sampled_from([None, None, 30.0]),
        "page_size": st.sampled_from([None, 1]),
    },
    "partnerCenter": {
        "promote_unready": st.sampled_from([200, 400, 409]),
        "after_failed_promote": st.sampled_from(["failed", "ready"]),
        "failed_state": st.sampled_from(["InProgress", "Published"]),
        "publishing_substate": st.sampled_from(["Publishing", "Published"]),
        "older_submissions": st.sampled_from(["none", "as they were", "archived"]),
        "submission_zero": st.booleans(),
        "workflow_entries": st.sampled_from([0, 1, 2, 3]),
        "page_sizes": st.sampled_from([(), (1,)]),
        "last_next_link_404": st.booleans(),
    },
}
"""What is not known of each API, beside what is not known of all. The world has no client: it is the rule alone."""
IN_TURN = "the three in turn"
SWITCHES[IN_TURN] = {name: drawn for api in APIS for name, drawn in SWITCHES[api].items()}
SUBMIT_FAULTS = ("", "before", "after", "500 before", "500 after", "429 before", "429 after", "not sent", "nameless")
READ_FAULTS = ("", "", "lost", "503", "404", "unreadable", "not sent")
LAGS = (0.0, 3.0, 20.0)
"""A list that lags behind by more than the rule's `settle` (30 s) cannot be told from a launch that never was."""


class NeverTwice(RuleBasedStateMachine):
    """One or two stacks on one offer. Two stacks are two requests: each may be answered by the other's go-live."""

    rule_under_test: type[GoingLive] = GoingLive
    api_under_test = "cloudPartnerPortal"
    careless = False

    @initialize(
        lag=st.sampled_from(LAGS),
        conflict=st.sampled_from([202, 400, 409, 422]),
        seconds=st.sampled_from([0.0, 8.0, 60.0, 7200.0]),
        ends=st.sampled_from(["succeeded", "succeeded", "failed", "canceled"]),
        fresh_404=st.sampled_from([0, 0, 3]),
        order=st.sampled_from(["newest", "oldest"]),
        numbering=st.booleans(),
        dropped=st.sampled_from(["kept", "kept", "dropped"]),
        stacks=st.sampled_from([1, 1, 2]),
        of_the_api=st.data(),
    )
    def begin(
        self,
        lag: float,
        conflict: int,
        seconds: float,
        ends: str,
        fresh_404: int,
        order: str,
        numbering: bool,
        dropped: str,
        stacks: int,
        of_the_api: st.DataObject,
    ) -> None:
        self.clock = FakeClock()
        switches = of_the_api.draw(st.fixed_dictionaries(SWITCHES[self.api_under_test]))
        behaviour = {
            "seconds": seconds,
            "ends": ends,
            "conflict": conflict,
            "listing_lag_seconds": lag,
            "listing_order": order,
            "fresh_404_reads": fresh_404,
            "golive_bumps_version": numbering,
            "preview_after_golive": dropped,
        }
        self.new_api = self._rule_alone if self.api_under_test == "world" else self._client
        if self.api_under_test == "world":
            self._over_the_world(behaviour, **switches)
        else:
            self._over_the_wire({**behaviour, **switches})
        self.stacks = [self._new_stack() for _ in range(stacks)]
        self.requests = stacks
        self.previews = 0

    @rule(which=st.integers(0, 1), timeout=st.sampled_from([5.0, 600.0, DAY]), wait=st.booleans())
    def up(self, which: int, timeout: float, wait: bool) -> None:
        stack = self._stack(which)
        stack.wait = wait
        stack.up(timeout=timeout)

    @rule(which=st.integers(0, 1), step=st.integers(0, 25))
    def up_and_kill(self, which: int, step: int) -> None:
        stack = self._stack(which)
        stack.wait = True
        stack.up(kill_before_step=step)

    @rule(
        which=st.integers(0, 1),
        submits=st.lists(st.sampled_from(SUBMIT_FAULTS), min_size=1, max_size=4),
        reads=st.lists(st.sampled_from(READ_FAULTS), max_size=12),
        step=st.one_of(st.none(), st.integers(0, 40)),
    )
    def up_in_bad_weather(self, which: int, submits: list[str], reads: list[str], step: int | None) -> None:
        self.faults.submits, self.faults.reads = list(submits), list(reads)
        self._stack(which).up(kill_before_step=step)
        self.faults.submits, self.faults.reads = [], []

    @rule(which=st.integers(0, 1), after=st.floats(0.0, 100.0))
    def up_and_cancel(self, which: int, after: float) -> None:
        self.clock.cancel_at = self.clock.seconds + after
        self._stack(which).up()
        self.clock.cancel_at = float("inf")

    @rule(which=st.integers(0, 1))
    def change_the_triggers(self, which: int) -> None:
        self._stack(which).triggers += 1
        self.requests += 1

    @rule(which=st.integers(0, 1), pinned=st.booleans())
    def change_the_pin(self, which: int, pinned: bool) -> None:
        stack, preview = self._stack(which), self.world.offer("contoso", "vm").preview
        pin = str(preview.version) if preview and pinned else None
        if pin != stack.pin:
            stack.pin = pin
            self.requests += 1

    @precondition(lambda self: self.api_under_test == IN_TURN)
    @rule(which=st.integers(0, 1), api=st.sampled_from(APIS))
    def choose_another_api(self, which: int, api: str) -> None:
        self._stack(which).through = api

    @rule(which=st.integers(0, 1))
    def refresh(self, which: int) -> None:
        with suppress(PublishingError):
            self._stack(which).refresh()

    @rule(seconds=st.sampled_from([0.0, 1.0, 10.0, 40.0, 10_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @precondition(lambda self: self.previews < 3)
    @rule()
    def somebody_publishes_to_preview(self) -> None:
        if self.world.offer("contoso", "vm").running is None:
            self.clock.pass_by(5.0)
            self.world.put_in_preview("contoso", "vm")
            self.clock.pass_by(5.0)
            self.previews += 1

    @invariant()
    def at_most_one_accepted_go_live_per_request(self) -> None:
        # A go-live that failed is submitted again by the user's next `up`; a run that left nothing in the state takes
        # a new preview for a new request, rightly.
        operations = self.world.offer("contoso", "vm").operations
        failures = sum(1 for each in operations if each.ended_at is not None and each.ending != "succeeded")
        assert accepted(self.world) <= self.requests + failures + self.previews

    @invariant()
    def success_is_never_claimed_for_what_did_not_succeed(self) -> None:
        for stack in self.stacks:
            launch = stack.launch
            if launch and launch.status is Status.SUCCEEDED and launch.operation_id:
                assert "succeeded" in [each.ending for each in self._operations_of(launch.operation_id)]

    @invariant()
    def a_pinned_version_is_never_claimed_to_be_live_for_another(self) -> None:
        for stack in self.stacks:
            launch = stack.launch
            if launch and stack.state and stack.state["pin"] and stands(launch, stack.state["pin"]):
                wanted = int(stack.state["pin"])
                taken_live = [
                    each.content.version
                    for each in self.world.offer("contoso", "vm").operations
                    if each.ending == "succeeded"
                ]
                assert wanted in [*taken_live, 6]

    def teardown(self) -> None:
        """After any such run, one more `up` in good weather ends with the portal's truth."""
        if not hasattr(self, "stacks"):
            return
        for stack in self.stacks:
            stack.wait = True
            error = stack.up()
            if isinstance(error, LaunchRefused) and error.about == "api":
                stack.through = stack.launch.through if stack.launch else None  # what may run there ends there
                error = stack.up()
            if isinstance(error, LaunchLost):
                stack.triggers += 1  # what was lost without a trace is submitted again by whoever says so
                self.requests += 1
                error = stack.up()
            elif isinstance(error, (LaunchUnknown, Conflict)):
                error = stack.up()  # or an API that shows too late what refuses it by itself
            if isinstance(error, LaunchLost):
                continue  # once more: an API that forgets at once, and shows an earlier failure that looks the same
            api, launch = stack.through or self.api_under_test, stack.launch
            offer = self.world.offer("contoso", "vm")
            failures = [each for each in offer.operations if each.ended_at and each.ending != "succeeded"]
            if isinstance(error, LaunchRefused):
                # The portal emptied it, and new triggers ask for it again; or what failed must be published anew; or it
                # holds another version than pinned.
                anew = failures and api == "partnerCenter"
                assert offer.preview is None or anew or str(offer.preview.version) != stack.pin is not None
                continue
            if launch is None:
                continue
            assert launch.status.ended
            newest = [each for each in offer.operations if each.kind == "golive"][-1]
            alone = len(self.stacks) == 1
            meant = self._operations_of(launch.operation_id) if launch.operation_id else []
            # Of two tries of one submission that both failed, product ingestion's list shows one.
            tries = [each.content.version for each in meant] if api == "productIngestion" else []
            is_newest = newest in meant or newest.content.version in tries
            # By numbers of their own its list does not tell a later one from the one that is resumed, and told first.
            resumed = api == "productIngestion" and offer.behaviour.golive_bumps_version
            assert is_newest or launch.status is Status.SUCCEEDED or resumed or not alone
            if launch.operation_id:
                endings = {str(each.ending) for each in meant}
                # Without its job, a cancelled go-live is a failed one: product ingestion's submissions say no more.
                if api == "productIngestion" and "canceled" in endings:
                    endings.add("failed")
                assert launch.status.value in endings
        self.at_most_one_accepted_go_live_per_request()
        self.success_is_never_claimed_for_what_did_not_succeed()

    def _over_the_world(self, behaviour: dict[str, Any], slot_lag: float, recurring_ids: bool) -> None:
        if slot_lag and behaviour["listing_lag_seconds"] > behaviour["seconds"] / 2:
            # Over before the list or the slot shows anything: nobody could see that it ever was.
            behaviour["listing_lag_seconds"] = 0.0
        self.world = world_with(self.clock, **behaviour)
        self.api = WorldApi(self.world, self.clock, slot_lag=slot_lag, recurring_ids=recurring_ids)
        self.faults = self.api.faults

    def _over_the_wire(self, behaviour: dict[str, Any]) -> None:
        if behaviour.get("slot_lag_seconds") and behaviour["listing_lag_seconds"] > behaviour["seconds"] / 2:
            behaviour["listing_lag_seconds"] = 0.0
        if behaviour["listing_lag_seconds"] and "productIngestion" in self.apis:
            # A list that lags hides what is live, and nothing else tells its number.
            behaviour["golive_bumps_version"] = False
        if self.careless and "partnerCenter" in self.apis:
            behaviour["promote_unready"] = 200  # where the API refuses by itself, it takes a carelessness away
        if "dropped" in (behaviour.get("failed_entry"), behaviour.get("canceled_entry")):
            behaviour["job_forgotten_after"] = None  # or nothing at all would be left of a go-live
        self.wire = wire_with(self.clock, *self.apis, **behaviour)
        self.world = self.wire.portal.simulation.world
        self.faults = self.wire.faults

    @property
    def apis(self) -> tuple[str, ...]:
        return APIS if self.api_under_test == IN_TURN else (self.api_under_test,)

    def _new_stack(self) -> Stack:
        stack = Stack(lambda: self.new_api(stack), self.clock, self.rule_under_test)
        if self.api_under_test == IN_TURN:
            stack.through = APIS[0]
        return stack

    def _rule_alone(self, _: Stack) -> PublishingApi:
        return self.api

    def _client(self, stack: Stack) -> PublishingApi:
        return client_of(stack.through or self.api_under_test, self.wire, careless=self.careless)

    def _operations_of(self, operation_id: str) -> list[WorldOperation]:
        if self.api_under_test == "world":
            return self.api.operations_of(operation_id)
        return meant_by(self.world, operation_id)

    def _stack(self, which: int) -> Stack:
        return self.stacks[which % len(self.stacks)]


SEARCHED = os.environ.get("OFFERGOLIVE_SEQUENCES")
"""How many sequences to make up afresh; without it, the same 400 are run each time: a search is not for CI to lose."""

THOROUGH = settings(
    max_examples=int(SEARCHED or "400"),
    derandomize=not SEARCHED,
    stateful_step_count=15,
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def machine(api: str, rule_under_test: type[GoingLive], *, careless: bool = False) -> type[NeverTwice]:
    """careless: the client leaves it to the rule to find out what is going live already."""
    name = f"{rule_under_test.__name__.strip('_')}On{api[0].upper()}{api[1:]}"
    given = {"api_under_test": api, "rule_under_test": rule_under_test, "careless": careless}
    return type(name, (NeverTwice,), given)


@pytest.fixture(autouse=True)
def _one_search_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis mixes in constants of whatever modules are loaded: each change, and each choice of tests, would search
    elsewhere.
    """
    if not SEARCHED:
        monkeypatch.setattr(HypothesisProvider, "_maybe_draw_constant", lambda *_, **__: None)


@pytest.mark.parametrize("api", SWITCHES)
def test_never_twice(api: str) -> None:
    run_state_machine_as_test(machine(api, GoingLive), settings=THOROUGH)


class _NoLookBeforeThePost(GoingLive):
    """What a script does: post, without looking first."""

    def _decide(self, request: Request, recorded: Launch | None, sight: Sight) -> tuple[Action, Operation | None]:
        return Action.SUBMIT, None


class _Sends(Submitter):
    def _settled(self, *_: Any) -> Operation | None:
        return None


class _SendsAgainAtOnce(GoingLive):
    """What a library that retries does: an answer that was lost is a request to be sent again."""

    submitter = _Sends


class _ForgetsWhatIsRecorded(GoingLive):
    """What the plain dynamic provider does: every run begins anew."""

    def bring_about(self, request: Request, recorded: Launch | None, *, deadline: float) -> Launch:
        return super().bring_about(request, None, deadline=deadline)

    def _ended_since(self, recorded: Launch | None, sight: Sight) -> Operation | None:
        return None


class _TakesEverythingForDone(GoingLive):
    """What an optimist does: whatever ended, ended well."""

    def _conclude(self, request: Request, launch: Launch) -> Launch | None:
        return replace(launch, status=Status.SUCCEEDED)


BITES: dict[type[GoingLive], tuple[str, ...]] = {
    _NoLookBeforeThePost: tuple(SWITCHES),
    _SendsAgainAtOnce: tuple(SWITCHES),
    # Product ingestion's submissions tell by themselves what became of a preview: forgetting costs nothing there.
    _ForgetsWhatIsRecorded: ("world", "cloudPartnerPortal", "partnerCenter"),
    _TakesEverythingForDone: tuple(SWITCHES),
}


@pytest.mark.parametrize(("mutant", "api"), [(mutant, api) for mutant, apis in BITES.items() for api in apis])
def test_the_proof_bites(mutant: type[GoingLive], api: str) -> None:
    # The rarest is found once in a thousand sequences or so, and the search ends there: many, lest luck decides.
    searching = settings(THOROUGH, max_examples=20_000, phases=[Phase.generate], print_blob=False, derandomize=True)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(api, mutant, careless=True), settings=searching)
