"""Nothing is submitted twice, whatever dies in between: the rule against a world that counts, step by step.

Hypothesis makes up histories of one stack and one offer: runs that are killed before any step, answers that are lost,
lists that lag behind, people who press the button by hand. The world counts the go-lives that it accepted. The last
tests take the proof's teeth out of the rule, one by one, and see that the proof notices.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from providers.azure_marketplace.errors import LaunchRefused, PublishingError
from providers.azure_marketplace.going_live import Action, GoingLive, Request
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import Operation, Status
from providers.azure_marketplace.sight import Sight, stands
from tests.unit.engine_model import DAY, Stack
from tests.unit.worlds import FakeClock, WorldApi, accepted, world_with

SUBMIT_FAULTS = ("", "before", "after", "500 before", "500 after", "429 before", "429 after", "not sent", "nameless")
READ_FAULTS = ("", "", "lost", "503", "404", "unreadable", "not sent")
LAGS = (0.0, 3.0, 20.0)
"""A list that lags behind by more than the rule's `settle` (30 s) cannot be told from a launch that never was."""


class NeverTwice(RuleBasedStateMachine):
    """One or two stacks on one offer. Two stacks are two requests: each may be answered by the other's go-live."""

    rule_under_test: type[GoingLive] = GoingLive

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
        slot_lag=st.sampled_from([0.0, 0.0, 20.0]),
        recurring_ids=st.sampled_from([False, False, True]),
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
        slot_lag: float,
        recurring_ids: bool,
    ) -> None:
        if slot_lag and lag > seconds / 2:
            lag = 0.0  # over before the list or the slot shows anything: nobody could see that it ever was
        self.clock = FakeClock()
        self.world = world_with(
            self.clock,
            seconds=seconds,
            ends=ends,
            conflict=conflict,
            listing_lag_seconds=lag,
            listing_order=order,
            fresh_404_reads=fresh_404,
            golive_bumps_version=numbering,
            preview_after_golive=dropped,
        )
        self.api = WorldApi(self.world, self.clock, slot_lag=slot_lag, recurring_ids=recurring_ids)
        self.stacks = [Stack(self.api, self.clock, self.rule_under_test) for _ in range(stacks)]
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
        self.api.faults.submits, self.api.faults.reads = list(submits), list(reads)
        self._stack(which).up(kill_before_step=step)
        self.api.faults.submits, self.api.faults.reads = [], []

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
                assert "succeeded" in [each.ending for each in self.api.operations_of(launch.operation_id)]

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
            launch = stack.launch
            offer = self.world.offer("contoso", "vm")
            if isinstance(error, LaunchRefused):
                # The portal emptied it, and new triggers ask for it again; or it holds another version than pinned.
                assert offer.preview is None or str(offer.preview.version) != stack.pin is not None
                continue
            if launch is None:
                continue
            assert launch.status.ended
            newest = [each for each in offer.operations if each.kind == "golive"][-1]
            alone = len(self.stacks) == 1
            if launch.operation_id:
                operations = self.api.operations_of(launch.operation_id)
                assert launch.status.value in [each.ending for each in operations]
                assert newest in operations or launch.status is Status.SUCCEEDED or not alone
        self.at_most_one_accepted_go_live_per_request()
        self.success_is_never_claimed_for_what_did_not_succeed()

    def _stack(self, which: int) -> Stack:
        return self.stacks[which % len(self.stacks)]


SEARCHED = os.environ.get("OFFERGOLIVE_SEQUENCES")
"""How many sequences to make up afresh; without it, CI runs the same 1500 each time: a search is not for CI to lose."""

THOROUGH = settings(
    max_examples=int(SEARCHED or "1500"),
    derandomize=not SEARCHED,
    stateful_step_count=15,
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestNeverTwice = NeverTwice.TestCase
TestNeverTwice.settings = THOROUGH


class _NoLookBeforeThePost(GoingLive):
    """What a script does: post, without looking first."""

    def _decide(self, request: Request, recorded: Launch | None, sight: Sight) -> tuple[Action, Operation | None]:
        return Action.SUBMIT, None


class _SendsAgainAtOnce(GoingLive):
    """What a library that retries does: an answer that was lost is a request to be sent again."""

    def _settled(self, *_: Any) -> Operation | None:
        return None


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


@pytest.mark.parametrize(
    "mutant", [_NoLookBeforeThePost, _SendsAgainAtOnce, _ForgetsWhatIsRecorded, _TakesEverythingForDone]
)
def test_the_proof_bites(mutant: type[GoingLive]) -> None:
    machine = type(f"On{mutant.__name__}", (NeverTwice,), {"rule_under_test": mutant})
    searching = settings(THOROUGH, database=None, phases=[Phase.generate], print_blob=False, derandomize=True)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=searching)
