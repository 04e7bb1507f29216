"""The going-live rule against the simulator's world, under a fake clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from providers.azure_marketplace.errors import (
    Conflict,
    Interrupted,
    LaunchCanceled,
    LaunchFailed,
    LaunchLost,
    LaunchRefused,
    LaunchUnknown,
    NotFound,
    NotSent,
    Refused,
    RefusedAfterwards,
    SignInFailed,
    StillRunning,
)
from providers.azure_marketplace.going_live import GoingLive, Turns
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import Accepted, Kind, Message, OfferKey, Operation, Slot, Status, Step
from providers.azure_marketplace.request import Request
from providers.azure_marketplace.sight import Sight, covers, stands
from simulator.behaviour import Behaviour
from simulator.world import World
from tests.unit.engine_model import DAY, Stack
from tests.unit.worlds import OFFER, FakeClock, Told, WorldApi, accepted, world_with


def stack_on(**behaviour: object) -> tuple[Stack, World, WorldApi, FakeClock]:
    clock = FakeClock()
    world = world_with(clock, **behaviour)
    api = WorldApi(world, clock)
    return Stack(lambda: api, clock), world, api, clock


def status_of(stack: Stack) -> Status | None:
    return stack.launch.status if stack.launch else None


def test_what_stands_in_preview_goes_live_and_its_versions_are_recorded() -> None:
    stack, world, _, _ = stack_on()
    assert stack.up() is None
    launch = stack.launch
    assert launch
    assert launch.status is Status.SUCCEEDED
    assert (launch.live_version, launch.preview_version, launch.confirmed_live_version) == ("7", "7", "7")
    assert launch.operation_id
    assert launch.submitted_at
    assert launch.finished_at
    assert accepted(world) == 1


def test_a_second_up_submits_nothing_and_asks_nothing() -> None:
    stack, world, api, _ = stack_on()
    stack.up()
    calls = len(api.calls)
    stack.up()
    assert len(api.calls) == calls
    assert accepted(world) == 1


def test_other_triggers_take_the_same_version_live_again() -> None:
    stack, world, _, _ = stack_on()
    stack.up()
    stack.triggers += 1
    assert stack.up() is None
    assert accepted(world) == 2


def test_a_running_go_live_that_somebody_started_is_adopted() -> None:
    stack, world, _, _ = stack_on()
    world.golive("contoso", "vm", by="portal")
    assert stack.up() is None
    assert accepted(world) == 0
    assert status_of(stack) is Status.SUCCEEDED


def test_an_adopted_go_live_of_an_older_preview_does_not_count() -> None:
    stack, world, _, _ = stack_on()
    world.golive("contoso", "vm", by="portal")
    world.put_in_preview("contoso", "vm")  # 8, while 7 is going live
    assert stack.up() is None
    assert accepted(world) == 1
    assert world.offer("contoso", "vm").production.version == 8  # type: ignore[union-attr]


def test_last_years_go_live_of_another_version_is_not_adopted() -> None:
    stack, world, _, clock = stack_on()
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(3600)
    world.put_in_preview("contoso", "vm")
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_finished_go_live_of_the_present_preview_is_adopted() -> None:
    stack, world, _, clock = stack_on()
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(3600)
    assert stack.up() is None
    assert accepted(world) == 0


def test_a_failed_go_live_is_told_once_in_the_portals_words_and_submitted_by_the_next_up() -> None:
    stack, world, _, _ = stack_on(ends="failed", failure="The VHD has no footer.")
    error = stack.up()
    assert isinstance(error, LaunchFailed)
    assert "The VHD has no footer." in str(error)
    assert status_of(stack) is Status.FAILED
    assert accepted(world) == 1
    stack.up()
    assert accepted(world) == 2


def test_a_cancelled_go_live_is_no_success() -> None:
    stack, _, _, _ = stack_on(ends="canceled")
    assert isinstance(stack.up(), LaunchCanceled)
    assert status_of(stack) is Status.CANCELED


def test_without_waiting_the_next_up_picks_the_result_up() -> None:
    stack, world, _, clock = stack_on()
    stack.wait = False
    assert stack.up() is None
    assert status_of(stack) is Status.RUNNING
    assert stack.up() is None
    assert status_of(stack) is Status.RUNNING
    clock.pass_by(61)
    assert stack.up() is None
    assert status_of(stack) is Status.SUCCEEDED
    assert accepted(world) == 1


def test_without_waiting_a_failure_is_told_before_anything_is_submitted_again() -> None:
    stack, world, _, clock = stack_on(ends="failed")
    stack.wait = False
    stack.up()
    clock.pass_by(61)
    assert isinstance(stack.up(), LaunchFailed)
    assert accepted(world) == 1
    stack.up()
    assert accepted(world) == 2


def test_when_the_time_is_up_the_operation_is_recorded_and_the_next_up_waits_on() -> None:
    stack, world, _, _ = stack_on(seconds=7200)
    error = stack.up(timeout=600)
    assert isinstance(error, StillRunning)
    assert "pulumi up" in str(error)
    assert status_of(stack) is Status.RUNNING
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_cancelled_run_records_the_operation() -> None:
    stack, world, _, clock = stack_on(seconds=7200)
    clock.cancel_at = 100
    assert isinstance(stack.up(), StillRunning)
    clock.cancel_at = float("inf")
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_pinned_version_that_is_live_is_enough() -> None:
    stack, world, _, _ = stack_on()
    stack.pin = "6"
    assert stack.up() is None
    assert accepted(world) == 0
    assert stack.launch
    assert stack.launch.operation_id is None


def test_a_pin_on_another_version_is_refused_before_anything_is_sent() -> None:
    stack, world, api, _ = stack_on()
    stack.pin = "9"
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "version 9" in str(error)
    assert "version 7" in str(error)
    assert "submit" not in api.calls
    assert accepted(world) == 0


def test_the_pinned_version_in_preview_goes_live() -> None:
    stack, world, _, _ = stack_on()
    stack.pin = "7"
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_pinned_offer_that_was_changed_by_hand_is_brought_back() -> None:
    stack, world, _, clock = stack_on()
    stack.pin = "7"
    stack.up()
    world.put_in_preview("contoso", "vm")
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(61)
    stack.refresh()
    assert isinstance(stack.up(), LaunchRefused)
    world.put_in_preview("contoso", "vm", version=7)
    assert stack.up() is None
    assert world.offer("contoso", "vm").production.version == 7  # type: ignore[union-attr]
    assert accepted(world) == 2


def test_a_portal_that_numbers_production_apart_is_no_drift() -> None:
    stack, world, _, _ = stack_on(golive_bumps_version=True)
    stack.pin = "7"
    assert stack.up() is None
    stack.refresh()
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_preview_that_is_emptied_by_going_live_is_no_reason_to_refuse_after_a_crash() -> None:
    stack, world, _, clock = stack_on(preview_after_golive="dropped")
    world.golive("contoso", "vm")
    clock.pass_by(3600)
    assert stack.up() is None
    assert accepted(world) == 1


def test_an_offer_without_a_preview_is_refused_in_its_own_words() -> None:
    stack, world, _, _ = stack_on()
    world.add_offer("contoso", "vm", preview=None)
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "nothing in preview" in str(error)


def test_a_missing_offer_is_refused_in_its_own_words() -> None:
    stack, world, _, _ = stack_on()
    world.remove_offer("contoso", "vm")
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "no offer 'vm' of publisher 'contoso'" in str(error)


@pytest.mark.parametrize("fault", ["after", "500 after", "429 after"])
@pytest.mark.parametrize("lag", [0, 20])
@pytest.mark.parametrize("seconds", [0, 60])
def test_a_lost_answer_is_found_again_and_never_sent_twice(fault: str, lag: float, seconds: float) -> None:
    stack, world, api, _ = stack_on(listing_lag_seconds=lag, seconds=seconds)
    api.faults.submits = [fault]
    assert stack.up() is None
    assert accepted(world) == 1
    assert status_of(stack) is Status.SUCCEEDED


@pytest.mark.parametrize("fault", ["before", "500 before", "429 before", "not sent"])
def test_a_request_that_provably_began_nothing_is_sent_again(fault: str) -> None:
    stack, world, api, _ = stack_on()
    api.faults.submits = [fault]
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_portal_that_never_takes_it_ends_in_words_and_not_in_a_loop() -> None:
    stack, world, api, _ = stack_on()
    api.faults.submits = ["500 before"] * 99
    assert isinstance(stack.up(), LaunchUnknown)
    assert api.calls.count("submit") == 3
    assert accepted(world) == 0


def test_a_portal_that_cannot_be_reached_is_said_so() -> None:
    stack, _, api, _ = stack_on()
    api.faults.submits = ["not sent"] * 99
    assert isinstance(stack.up(), NotSent)


def test_a_setting_that_is_wrong_is_told_at_once() -> None:
    stack, _, api, clock = stack_on()

    def preview(_: OfferKey) -> Slot | None:
        error = NotSent("HTTPS_PROXY is not the address of a proxy")
        error.lasting = True
        raise error

    api.preview = preview  # type: ignore[method-assign,assignment]
    assert isinstance(stack.up(), NotSent)
    assert clock.seconds < 5


def test_nothing_is_sent_again_while_the_list_cannot_be_read() -> None:
    stack, world, api, _ = stack_on(seconds=0)
    api.faults.submits = ["after"]
    api.faults.reads = ["", "", "", *["503"] * 200]
    assert isinstance(stack.up(), LaunchUnknown)
    assert api.calls.count("submit") == 1
    api.faults.reads = []
    assert stack.up() is None
    assert accepted(world) == 1


def test_an_accepted_go_live_that_names_no_operation_is_looked_up() -> None:
    stack, world, api, _ = stack_on()
    api.faults.submits = ["nameless"]
    assert stack.up() is None
    assert accepted(world) == 1
    assert status_of(stack) is Status.SUCCEEDED


@pytest.mark.parametrize("conflict", [202, 400, 409, 422])
@pytest.mark.parametrize("lag", [0, 20])
def test_a_refusal_because_one_runs_already_leads_to_that_one(conflict: int, lag: float) -> None:
    stack, world, _, _ = stack_on(conflict=conflict, listing_lag_seconds=lag)
    world.golive("contoso", "vm", by="portal")
    assert stack.up() is None
    assert accepted(world) == 0
    assert status_of(stack) is Status.SUCCEEDED


def test_a_conflict_with_a_publish_is_told() -> None:
    stack, world, _, _ = stack_on(publish={"mode": "held"})
    world.publish("contoso", "vm")
    assert isinstance(stack.up(), Conflict)


def test_a_plain_refusal_is_told_and_records_nothing() -> None:
    stack, world, _, _ = stack_on(golive_unchanged=400)
    world.add_offer("contoso", "vm", preview=7, production=7, behaviour=world.offer("contoso", "vm").behaviour)
    assert isinstance(stack.up(), Refused)
    assert stack.state is None


@pytest.mark.parametrize("fault", ["lost", "503", "404", "unreadable", "not sent"])
def test_a_run_of_bad_weather_ends_no_wait(fault: str) -> None:
    stack, world, api, _ = stack_on(seconds=36_000)
    stack.wait = False
    stack.up()
    stack.wait = True
    api.faults.reads = [fault] * 40
    assert stack.up() is None
    assert accepted(world) == 1
    assert status_of(stack) is Status.SUCCEEDED


def test_an_operation_that_nobody_knows_any_more_ends_the_wait_and_is_not_submitted_by_itself() -> None:
    stack, world, _, _ = stack_on(seconds=36_000)
    stack.up(timeout=10)
    world.add_offer("contoso", "vm", preview=7, production=6)
    for _ in range(2):
        error = stack.up()
        assert isinstance(error, LaunchLost)
        assert "change the resource's triggers" in str(error)
        assert accepted(world) == 1
        assert status_of(stack) is Status.RUNNING
    stack.triggers += 1
    assert stack.up() is None
    assert accepted(world) == 2


@pytest.mark.parametrize("wait", [True, False])
def test_what_other_triggers_ask_for_is_not_lost_with_an_operation_that_nobody_knows(wait: bool) -> None:
    """The run that asks for it may be over before the earlier operation counts as lost; the next one remembers both."""
    stack, world, _, clock = stack_on(seconds=36_000)
    stack.up(timeout=10)
    world.add_offer("contoso", "vm", preview=7, production=6)
    stack.wait = wait
    stack.triggers += 1
    error = stack.up(timeout=60)
    assert "could not be found" in (str(error) if wait else " ".join(stack.told.warnings))
    assert accepted(world) == 1
    clock.pass_by(1000)
    assert stack.up(timeout=100_000 if wait else 200) is None
    assert accepted(world) == 2
    assert stack.launch
    assert not stack.launch.superseded
    assert stack.launch.missing_since is None


def test_an_operation_that_was_missing_long_ago_is_not_waited_for_as_long_again() -> None:
    stack, world, _, clock = stack_on(seconds=36_000)
    stack.up(timeout=10)
    world.add_offer("contoso", "vm", preview=7, production=6)
    assert isinstance(stack.up(), LaunchLost)
    clock.pass_by(60)
    began = clock.monotonic()
    assert isinstance(stack.up(), LaunchLost)
    assert 120 <= clock.monotonic() - began < 300
    assert accepted(world) == 1


def test_what_was_found_running_answers_other_triggers_and_is_not_submitted_again_once_it_is_lost() -> None:
    stack, world, _, clock = stack_on(seconds=36_000)
    stack.up(timeout=10)
    stack.triggers += 1
    assert isinstance(stack.up(timeout=10), StillRunning)
    world.add_offer("contoso", "vm", preview=7, production=6)
    assert isinstance(stack.up(), LaunchLost)
    clock.pass_by(3600)
    assert isinstance(stack.up(), LaunchLost)
    assert accepted(world) == 1


def test_an_operation_that_is_found_again_is_missing_no_more() -> None:
    stack, world, api, clock = stack_on(seconds=36_000)
    stack.up(timeout=10)
    with pytest.MonkeyPatch.context() as hidden:
        hidden.setattr(api, "operations", lambda _: [])
        api.faults.reads = ["404"] * 8
        assert isinstance(stack.up(timeout=20), StillRunning)
    api.faults.reads.clear()
    assert stack.state
    assert stack.state["missing_since"]
    clock.pass_by(1000)
    assert isinstance(stack.up(timeout=20), StillRunning)
    assert stack.state
    assert stack.state["missing_since"] is None
    assert accepted(world) == 1


def test_an_operation_that_nobody_knows_any_more_went_live_where_production_shows_it_since() -> None:
    stack, world, _, clock = stack_on(seconds=36_000)
    stack.up(timeout=10)
    clock.pass_by(36_000)
    world.add_offer("contoso", "vm", preview=7, production=7)  # a portal that keeps no operations for long
    assert stack.up() is None
    assert status_of(stack) is Status.SUCCEEDED
    assert accepted(world) == 1


def test_a_run_that_does_not_wait_takes_nothing_for_lost_in_a_moment() -> None:
    """Its few seconds of 404 may be weather, however old the operation is."""
    stack, world, api, clock = stack_on(seconds=36_000)
    stack.wait = False
    stack.up()
    clock.pass_by(3600)
    stack.triggers += 1
    api.faults.reads = ["", "", "", *["404"] * 12]
    assert stack.up() is None
    assert any("could not be read" in warning for warning in stack.told.warnings)
    assert accepted(world) == 1


class _Hangs(WorldApi):
    """The portal takes the go-live, and its answer does not come before the run is cancelled."""

    hangs = True

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        taken = super().submit(offer, preview)
        if self.hangs:
            raise Interrupted
        return taken


@pytest.mark.parametrize("earlier", [False, True])
def test_a_run_that_is_cancelled_before_the_answer_came_is_remembered(earlier: bool) -> None:
    """The next one gives a list that lags behind the time to show it."""
    stack, world, _, clock = stack_on(listing_lag_seconds=20, seconds=600)
    if earlier:
        assert stack.up() is None
        clock.pass_by(60)
        world.put_in_preview("contoso", "vm")
        clock.pass_by(60)
        stack.triggers += 1
    before = accepted(world)
    api = _Hangs(world, clock)
    stack.new_api = lambda: api
    assert isinstance(stack.up(), LaunchUnknown)
    api.hangs = False

    assert stack.up() is None

    assert accepted(world) == before + 1
    assert status_of(stack) is Status.SUCCEEDED
    assert stack.launch
    assert stack.launch.unanswered_at is None
    assert stack.up() is None
    assert accepted(world) == before + 1


@pytest.mark.parametrize("ending", ["failed", "canceled"])
def test_what_ended_badly_is_left_at_that_where_nobody_means_to_try_again(ending: str) -> None:
    stack, world, _, _ = stack_on(ends=ending)
    assert isinstance(stack.up(), (LaunchFailed, LaunchCanceled))
    stack.resubmit = False
    for _ in range(2):
        assert isinstance(stack.up(), (LaunchFailed, LaunchCanceled))
        assert accepted(world) == 1
    world.set_behaviour("contoso", "vm", Behaviour.model_validate({"seconds": 60.0}))
    world.golive("contoso", "vm", by="portal")
    assert stack.up() is None  # somebody did it by hand, and it is adopted
    assert accepted(world) == 1


def test_other_inputs_ask_anew_where_nothing_is_tried_again() -> None:
    stack, world, _, _ = stack_on(ends="failed")
    stack.up()
    stack.resubmit = False
    stack.triggers += 1
    assert isinstance(stack.up(), LaunchFailed)
    assert accepted(world) == 2


def test_a_fresh_operation_that_is_unknown_for_a_while_is_waited_for() -> None:
    stack, world, _, _ = stack_on(fresh_404_reads=4, listing_lag_seconds=20)
    assert stack.up() is None
    assert accepted(world) == 1


def test_what_was_asked_for_with_other_triggers_does_not_answer_this_request() -> None:
    stack, world, _, clock = stack_on(seconds=7200)
    stack.up(timeout=60)
    clock.pass_by(7200)
    stack.triggers += 1
    assert stack.up() is None
    assert accepted(world) == 2


def test_a_running_go_live_is_adopted_for_other_triggers_too() -> None:
    stack, world, _, _ = stack_on(seconds=7200)
    stack.up(timeout=60)
    stack.triggers += 1
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_refresh_sees_the_end_of_an_operation_and_one_started_by_hand() -> None:
    stack, world, _, clock = stack_on()
    stack.wait = False
    stack.up()
    clock.pass_by(61)
    stack.refresh()
    assert status_of(stack) is Status.SUCCEEDED
    world.golive("contoso", "vm", by="portal")
    stack.refresh()
    assert status_of(stack) is Status.RUNNING


def test_a_refresh_finds_that_the_offer_is_gone() -> None:
    stack, world, _, _ = stack_on()
    stack.up()
    world.remove_offer("contoso", "vm")
    stack.refresh()
    assert stack.state is None


@pytest.mark.parametrize(
    ("fresh_404_reads", "until_the_second", "until_the_look"),
    [(0, 10, 10), pytest.param(3, 12, 9, id="which cannot be asked for: the list alone shows it")],
)
def test_a_failure_that_a_lagging_list_shows_as_running_does_not_hide_the_go_live_that_came_after_it(
    fresh_404_reads: int, until_the_second: float, until_the_look: float
) -> None:
    stack, world, _, clock = stack_on(listing_lag_seconds=20, seconds=8, ends="failed", fresh_404_reads=fresh_404_reads)
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(until_the_second)
    latest = world.golive("contoso", "vm")  # by a run that died before it could record it
    clock.pass_by(until_the_look)  # the list shows the first one, running

    assert isinstance(stack.up(), LaunchFailed)
    assert stack.launch
    assert stack.launch.operation_id == latest.id
    assert accepted(world) == 1


def test_a_pin_that_is_set_while_another_version_goes_live_is_refused_at_once() -> None:
    stack, world, _, clock = stack_on(seconds=7200)
    stack.wait = False
    stack.up()
    stack.pin, stack.wait = "8", True

    assert isinstance(stack.up(), LaunchRefused)

    assert clock.seconds < 60
    assert status_of(stack) is Status.RUNNING
    assert accepted(world) == 1


@pytest.mark.parametrize("wait", [True, False])
def test_an_older_go_live_does_not_answer_a_request_whose_wait_for_it_was_cut_short(wait: bool) -> None:
    stack, world, _, clock = stack_on(seconds=600)
    stack.wait = False
    stack.up()
    world.put_in_preview("contoso", "vm")  # 8, while 7 is going live
    stack.pin, stack.wait = "8", wait
    stack.up(timeout=10)  # waits for 7 to end, and is cut short
    clock.pass_by(600)

    stack.wait = True
    assert stack.up() is None

    assert world.offer("contoso", "vm").production.version == 8  # type: ignore[union-attr]
    assert accepted(world) == 2
    assert stack.launch
    assert not stack.launch.adopted


def test_an_adopted_go_live_of_an_older_preview_does_not_count_after_an_interruption_either() -> None:
    stack, world, _, clock = stack_on(seconds=600)
    world.golive("contoso", "vm", by="portal")
    world.put_in_preview("contoso", "vm")
    stack.up(timeout=10)
    clock.pass_by(600)

    assert stack.up() is None

    assert world.offer("contoso", "vm").production.version == 8  # type: ignore[union-attr]
    assert accepted(world) == 1


def test_another_version_that_somebody_took_live_by_hand_is_never_taken_for_the_pinned_one() -> None:
    stack, world, _, clock = stack_on(seconds=600)
    stack.pin = "7"
    stack.up()
    world.put_in_preview("contoso", "vm")
    world.golive("contoso", "vm", by="portal")
    stack.refresh()  # sees it running
    clock.pass_by(600)
    stack.refresh()  # sees its end

    assert isinstance(stack.up(), LaunchRefused)
    assert accepted(world) == 1


def test_what_somebody_took_live_by_hand_asks_for_nothing_more_where_nothing_is_pinned() -> None:
    stack, world, _, clock = stack_on(seconds=600)
    stack.up()
    world.put_in_preview("contoso", "vm")
    world.golive("contoso", "vm", by="portal")
    stack.refresh()
    world.put_in_preview("contoso", "vm")  # 9, which nobody asked for yet
    clock.pass_by(600)

    assert stack.up() is None
    assert accepted(world) == 1


@pytest.mark.parametrize("numbering", [False, True])
def test_a_pin_that_comes_or_goes_submits_nothing_while_that_very_version_is_live(numbering: bool) -> None:
    stack, world, _, _ = stack_on(golive_bumps_version=numbering)
    stack.up()

    stack.pin = "7"
    assert stack.up() is None
    stack.pin = None
    assert stack.up() is None

    assert accepted(world) == 1
    assert status_of(stack) is Status.SUCCEEDED


def test_a_pin_that_goes_takes_live_what_came_into_preview_since() -> None:
    stack, world, _, clock = stack_on()
    stack.pin = "7"
    stack.up()
    clock.pass_by(60)
    world.put_in_preview("contoso", "vm")

    stack.pin = None
    assert stack.up() is None

    assert world.offer("contoso", "vm").production.version == 8  # type: ignore[union-attr]
    assert accepted(world) == 2


@pytest.mark.parametrize("numbering", [False, True])
def test_a_production_slot_that_lags_behind_is_no_drift_and_no_reason_to_submit_again(numbering: bool) -> None:
    clock = FakeClock()
    world = world_with(clock, golive_bumps_version=numbering)
    api = WorldApi(world, clock, slot_lag=20)
    stack = Stack(lambda: api, clock, pin="7")
    stack.up()

    for _ in range(3):
        clock.pass_by(15)
        stack.refresh()
        assert stack.up() is None

    assert accepted(world) == 1
    assert stack.launch
    assert stack.launch.confirmed_live_version == stack.launch.live_version


def test_drift_shows_on_a_portal_whose_production_slot_lags_behind() -> None:
    clock = FakeClock()
    world = world_with(clock)
    api = WorldApi(world, clock, slot_lag=20)
    stack = Stack(lambda: api, clock, pin="7")
    stack.up()
    clock.pass_by(60)
    stack.refresh()
    world.put_in_preview("contoso", "vm")
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(600)
    stack.refresh()

    assert isinstance(stack.up(), LaunchRefused)


@pytest.mark.parametrize("ended", [False, True])
def test_a_go_live_that_has_the_id_of_an_earlier_one_is_found_after_a_kill(ended: bool) -> None:
    clock = FakeClock()
    world = world_with(clock)
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    stack.up()
    clock.pass_by(3600)
    stack.triggers += 1
    world.golive("contoso", "vm")  # by a run that was killed after its POST
    clock.pass_by(61 if ended else 10)

    assert stack.up() is None

    assert accepted(world) == 2
    assert status_of(stack) is Status.SUCCEEDED


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("seconds", [0, 60])
def test_a_lost_answer_is_told_from_an_earlier_go_live_of_the_same_id(fault: str, seconds: float) -> None:
    clock = FakeClock()
    world = world_with(clock, seconds=seconds)
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    stack.up()
    clock.pass_by(3600)
    stack.triggers += 1
    api.faults.submits = [fault]

    assert stack.up() is None

    assert accepted(world) == 2
    assert status_of(stack) is Status.SUCCEEDED


def test_two_resources_of_one_program_for_one_offer_submit_it_once_while_the_list_lags_behind() -> None:
    clock = FakeClock()
    world = world_with(clock, seconds=3, listing_lag_seconds=5)
    api = WorldApi(world, clock)
    turns = Turns()

    for _ in range(2):
        rule = GoingLive(api, clock, Told(), turns=turns)
        launch = rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + DAY)
        assert launch.status is Status.SUCCEEDED

    assert api.calls.count("submit") == 1


class AnotherList(WorldApi):
    """Its list has other ids than its answers, dates of creation or none, and it takes its time to answer a go-live."""

    def __init__(self, world: World, clock: FakeClock, *, dates: bool) -> None:
        super().__init__(world, clock)
        self._dates = dates

    def operations(self, offer: OfferKey) -> list[Operation]:
        begun = {each.id: each.accepted_at for each in self.world.offer("contoso", "vm").operations}
        return [
            replace(
                each,
                id=f"listed-{each.id}",
                changed_at=datetime.fromtimestamp(begun[each.id], timezone.utc) if self._dates else None,
            )
            for each in super().operations(offer)
        ]

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        accepted = super().submit(offer, preview)
        self._clock.pass_by(20.0)
        return replace(accepted, at=self._clock.now())


@pytest.mark.parametrize("dates", [True, False])
def test_a_go_live_that_is_listed_under_another_id_is_found_after_a_kill(dates: bool) -> None:
    clock = FakeClock()
    world = world_with(clock)
    api = AnotherList(world, clock, dates=dates)
    stack = Stack(lambda: api, clock)
    assert stack.up() is None
    clock.pass_by(300)
    world.put_in_preview("contoso", "vm")
    stack.triggers += 1
    clock.pass_by(300)
    world.golive("contoso", "vm")  # by a run that was killed after its POST
    clock.pass_by(300)

    assert stack.up() is None

    assert accepted(world) == 2
    assert world.offer("contoso", "vm").production.version == 8  # type: ignore[union-attr]


def test_an_acceptance_that_no_list_ever_shows_is_told_as_an_acceptance() -> None:
    stack, world, api, _ = stack_on(listing_lag_seconds=10_000)
    api.faults.submits = ["nameless"]

    error = stack.up()

    assert isinstance(error, LaunchUnknown)
    assert "accepted the go-live of contoso/vm, but named no operation" in str(error)
    assert accepted(world) == 1


def test_a_read_that_fails_before_anything_was_sent_says_so() -> None:
    stack, _, api, _ = stack_on()
    api.faults.reads = ["503"] * 200

    assert "Nothing was submitted. Run `pulumi up` again." in str(stack.up())


@pytest.mark.parametrize("took", [True, False])
def test_an_operation_that_counts_beyond_its_slot_is_told_by_its_date(took: bool) -> None:
    """How the portal counts is a guess [G]: 5007 was never published to a preview that holds 7."""
    published, hours = datetime(2026, 1, 1, 12, tzinfo=timezone.utc), 1 if took else -1
    ended = published + timedelta(hours=hours)
    operation = Operation("op-1", Kind.GO_LIVE, Status.SUCCEEDED, version="5007", changed_at=ended)
    sight = Sight(Slot("7", published), Slot("5007", ended), [operation])
    assert covers(operation, sight) is took
    assert covers(replace(operation, version="6"), sight) is False
    assert covers(operation, replace(sight, from_one_answer=True)) is False


def test_a_sign_in_that_fails_before_anything_was_sent_says_so_to_each_once() -> None:
    stack, _, api, _ = stack_on()
    refused = SignInFailed("The client secret has expired", next_step="Make a new one.")

    def preview(_: OfferKey) -> Slot:
        raise refused

    api.preview = preview  # type: ignore[method-assign,assignment]
    for _ in range(2):
        error = stack.up()
        assert isinstance(error, SignInFailed)
        assert str(error) == "The client secret has expired. Nothing was submitted. Make a new one."


def test_a_refresh_through_another_api_leaves_what_may_be_running_to_the_one_before() -> None:
    """Else the next `up` would take a go-live that was sent and not answered for one of the API that is chosen now."""
    clock = FakeClock()
    rule = GoingLive(WorldApi(world_with(clock), clock), clock, Told())
    sent = Launch(Status.NOT_STARTED, through="partnerCenter", unanswered_at=clock.now())
    assert rule.refreshed(OFFER, sent, moved=True) == sent
    ended = Launch(Status.SUCCEEDED, "products/p/submissions/7", through="partnerCenter", live_version="7")
    seen = rule.refreshed(OFFER, ended, moved=True)
    assert seen
    assert (seen.through, seen.live_version) == (None, "6")


def test_a_refresh_through_another_api_takes_its_numbers_over_and_sees_no_drift() -> None:
    clock = FakeClock()
    api = WorldApi(world_with(clock), clock)
    recorded = Launch(Status.SUCCEEDED, live_version="1152", confirmed_live_version="1152", through="productIngestion")

    seen = GoingLive(api, clock, Told()).refreshed(OFFER, recorded, pin="1152", moved=True)

    assert seen
    assert (seen.live_version, seen.confirmed_live_version) == ("6", "6")
    assert stands(seen, "1152")


def test_drift_that_a_record_of_another_api_already_shows_stays_drift() -> None:
    clock = FakeClock()
    api = WorldApi(world_with(clock), clock)
    recorded = Launch(Status.SUCCEEDED, live_version="1151", confirmed_live_version="1152")

    seen = GoingLive(api, clock, Told()).refreshed(OFFER, recorded, pin="1152", moved=True)

    assert seen
    assert not stands(seen, "1152")


def test_what_a_step_and_the_whole_say_alike_is_told_once() -> None:
    stack, _, api, _ = stack_on(ends="failed", failure="No image was found.")
    read = api.operation

    def with_steps(offer: OfferKey, operation_id: str) -> Operation:
        operation = read(offer, operation_id)
        return replace(operation, steps=(Step("Certification", messages=operation.messages),))

    api.operation = with_steps  # type: ignore[method-assign]

    assert str(stack.up()).count("No image was found.") == 1


def test_what_steps_say_that_are_over_or_were_never_reached_is_no_reason() -> None:
    stack, _, api, _ = stack_on(ends="canceled")
    read = api.operation

    def with_steps(offer: OfferKey, operation_id: str) -> Operation:
        steps = (
            Step("Validation", percent=100, messages=(Message("Step completed."),)),
            Step("Certification", percent=40, messages=(Message("Waits for the certification team."),)),
            Step("Publisher signoff", percent=0, messages=(Message("This step has not started yet."),)),
        )
        operation = read(offer, operation_id)
        return replace(operation, steps=steps, messages=(Message("The operation was canceled."),))

    api.operation = with_steps  # type: ignore[method-assign]

    told = str(stack.up())
    assert "Certification: Waits for the certification team. | The operation was canceled." in told
    assert "Step completed" not in told
    assert "not started" not in told


def test_a_second_resource_of_a_program_remembers_what_the_first_sent_without_an_answer() -> None:
    stack, world, api, clock = stack_on(listing_lag_seconds=14, seconds=600)
    turns = Turns()

    def run() -> Launch:
        rule = GoingLive(api, clock, stack.told, turns=turns)
        return rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + 5)

    api.faults.submits = ["after"]
    with pytest.raises(LaunchUnknown):
        run()
    rule = GoingLive(api, clock, stack.told, turns=turns)
    assert rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + DAY).status is Status.SUCCEEDED
    assert accepted(world) == 1


def test_what_was_accepted_without_a_name_is_not_sent_again_by_itself() -> None:
    stack, world, api, clock = stack_on(seconds=36_000, listing_lag_seconds=1800)
    api.faults.submits = ["nameless"]
    for _ in range(2):
        assert isinstance(stack.up(), LaunchLost)
        assert accepted(world) == 1
        assert status_of(stack) is Status.RUNNING
    clock.pass_by(1800)
    assert stack.up() is None
    assert stack.launch
    assert stack.launch.operation_id
    assert accepted(world) == 1


def test_a_wrong_version_that_went_live_under_a_pin_is_no_success() -> None:
    """The portal takes live what stands in preview when the request comes in, whatever was seen before."""
    stack, world, api, _ = stack_on(seconds=10)
    stack.pin = "7"
    submit = api.submit

    def raced(offer: OfferKey, preview: Slot | None) -> Accepted:
        world.put_in_preview("contoso", "vm")
        return submit(offer, preview)

    api.submit = raced  # type: ignore[method-assign]
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "pinned to version 7, but version 8 went live" in str(error)
    api.submit = submit  # type: ignore[method-assign]
    assert isinstance(stack.up(), LaunchRefused)
    assert accepted(world) == 1


def test_another_versions_go_live_is_not_that_of_an_operation_that_is_not_found() -> None:
    stack, world, _, clock = stack_on(seconds=36_000)
    stack.pin = "7"
    stack.up(timeout=10)
    clock.pass_by(100)
    world.add_offer("contoso", "vm", preview=8, production=6, behaviour=Behaviour())
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(100)
    error = stack.up()
    assert error is not None
    assert not stands(stack.launch, "7") if stack.launch else True


def test_a_refresh_does_not_forget_what_runs_because_nothing_can_be_found() -> None:
    stack, world, _, _ = stack_on(seconds=36_000)
    stack.up(timeout=10)
    world.remove_offer("contoso", "vm")
    stack.refresh()
    assert status_of(stack) is Status.RUNNING


def test_a_failure_of_another_api_is_not_in_the_way_of_this_one() -> None:
    stack, world, api, clock = stack_on()
    failed = Launch(Status.FAILED, operation_id="submission/p-1/7/failed#j", finished_at=clock.now())
    rule = GoingLive(api, clock, stack.told)
    launch = rule.bring_about(Request(OFFER, resubmit=False, moved=True), failed, deadline=clock.monotonic() + DAY)
    assert launch.status is Status.SUCCEEDED
    assert accepted(world) == 1


@pytest.mark.parametrize("dated", [True, False])
def test_the_end_of_an_earlier_operation_by_the_same_id_is_not_that_of_this_one(dated: bool) -> None:
    clock = FakeClock()
    world = world_with(clock, seconds=600, ends="succeeded")
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    assert stack.up() is None
    earlier = api.operation(OFFER, stack.launch.operation_id or "") if stack.launch else None
    assert earlier
    clock.pass_by(3600)
    stack.triggers += 1
    read, since = api.shown, clock.seconds

    def late(offer: OfferKey, operation_id: str) -> Operation:
        if clock.seconds < since + 12:
            return earlier if dated else replace(earlier, changed_at=None)
        return read(offer, operation_id)

    api.shown = late  # type: ignore[method-assign]
    assert stack.up() is None
    assert clock.seconds > since + 600
    assert accepted(world) == 2


def test_a_second_resource_of_a_program_does_not_send_what_was_accepted_without_a_name_either() -> None:
    stack, world, api, clock = stack_on(seconds=36_000, listing_lag_seconds=1800)
    turns = Turns()
    api.faults.submits = ["nameless"]
    for _ in range(2):
        rule = GoingLive(api, clock, stack.told, turns=turns)
        with pytest.raises(LaunchLost):
            rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + DAY)
    assert accepted(world) == 1


def test_a_failure_of_another_version_is_not_one_of_what_is_asked_for_now() -> None:
    """Version 8 was never submitted: that 7 failed meanwhile says nothing of it, whoever may submit again what."""
    stack, world, _, _ = stack_on(seconds=600, ends="failed")
    stack.resubmit = False
    stack.up(timeout=10)
    world.put_in_preview("contoso", "vm")
    stack.triggers += 1
    assert isinstance(stack.up(), LaunchFailed)
    assert accepted(world) == 2
    assert isinstance(stack.up(), LaunchFailed)
    assert accepted(world) == 2


def test_a_failure_of_what_other_triggers_ask_for_is_told_and_not_submitted_again() -> None:
    """The go-live that ran took the very preview that they ask for."""
    stack, world, _, _ = stack_on(seconds=600, ends="failed")
    stack.resubmit = False
    stack.up(timeout=10)
    stack.triggers += 1
    for _ in range(2):
        assert isinstance(stack.up(), LaunchFailed)
        assert accepted(world) == 1


def test_a_run_that_is_cancelled_after_a_refusal_tells_the_refusal() -> None:
    """It was submitted, and nothing of it began: that is another thing than never to have been submitted."""
    stack, world, api, clock = stack_on(seconds=600)
    stack.up(timeout=10)
    read = api.operation

    def refused(offer: OfferKey, operation_id: str) -> Operation:
        answer = replace(read(offer, operation_id), status=Status.FAILED, refused=True)
        world.add_offer("contoso", "vm", preview=7, production=6)
        return answer

    api.operation = refused  # type: ignore[method-assign]
    clock.cancel_at = clock.monotonic() + 10
    error = stack.up()
    assert isinstance(error, RefusedAfterwards)
    assert status_of(stack) is Status.NOT_STARTED


def test_one_offer_is_not_submitted_through_two_apis_by_one_program() -> None:
    clock = FakeClock()
    apis = [WorldApi(world_with(clock, seconds=600), clock) for _ in range(2)]
    apis[1].owns = lambda operation_id: False  # type: ignore[method-assign]
    turns = Turns()
    rule = GoingLive(apis[0], clock, Told(), turns=turns)
    rule.bring_about(Request(OFFER, wait=False), None, deadline=clock.monotonic() + DAY)
    rule = GoingLive(apis[1], clock, Told(), turns=turns)
    with pytest.raises(LaunchRefused, match="another API"):
        rule.bring_about(Request(OFFER, wait=False), None, deadline=clock.monotonic() + DAY)
    assert [accepted(api.world) for api in apis] == [1, 0]


def test_no_launch_ends_before_it_began() -> None:
    """An API may date what went live by its preview."""
    began = datetime(2026, 1, 2, tzinfo=timezone.utc)
    launch = Launch(Status.RUNNING, "op-1", submitted_at=began)
    dated = Operation("op-1", Kind.GO_LIVE, Status.SUCCEEDED, changed_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert launch.seen(dated, datetime(2026, 1, 3, tzinfo=timezone.utc)).finished_at == datetime(
        2026, 1, 3, tzinfo=timezone.utc
    )


class _NeverArrives(WorldApi):
    """The run is cancelled before the go-live reached the portal, which it does not know."""

    arrives = False

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        if not self.arrives:
            raise Interrupted
        return super().submit(offer, preview)


def pinned_and_live(**behaviour: object) -> tuple[Stack, World, _NeverArrives, FakeClock]:
    """A pinned offer that is live as wanted without an operation of its stack's own."""
    stack, world, _, clock = stack_on(**behaviour)
    world.add_offer("contoso", "vm", preview=7, production=7)
    api = _NeverArrives(world, clock)
    stack.new_api = lambda: api
    stack.pin = "7"
    assert stack.up() is None
    return stack, world, api, clock


def test_other_triggers_that_were_not_answered_are_asked_for_still_where_the_pin_is_live() -> None:
    stack, world, api, _ = pinned_and_live()
    stack.triggers += 1
    assert isinstance(stack.up(), LaunchUnknown)
    api.arrives = True
    assert stack.up() is None
    assert accepted(world) == 1
    assert stack.launch
    assert not stack.launch.superseded


def test_another_pin_that_was_not_answered_is_no_matter_once_it_is_taken_back() -> None:
    stack, world, api, _ = pinned_and_live()
    world.put_in_preview("contoso", "vm")
    stack.pin = "8"
    assert isinstance(stack.up(), LaunchUnknown)
    api.arrives = True
    stack.pin = "7"
    assert stack.up() is None
    assert accepted(world) == 0
    assert stack.up() is None


ACCEPTED_AT = datetime(2025, 12, 31, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        (Launch(Status.RUNNING, submitted_at=ACCEPTED_AT), "named no operation"),
        (Launch(Status.SUCCEEDED, unanswered_at=ACCEPTED_AT), "was not answered"),
        (Launch(Status.NOT_STARTED, unanswered_at=ACCEPTED_AT), "was not answered"),
        (Launch(Status.RUNNING, "submission/p-1/7", missing_since=ACCEPTED_AT), "operation submission/p-1/7"),
    ],
)
def test_what_may_run_through_another_api_is_not_competed_with(recorded: Launch, words: str) -> None:
    """Nor forgotten by a refresh for which nothing is found."""
    stack, world, api, clock = stack_on()
    rule = GoingLive(api, clock, stack.told)
    with pytest.raises(LaunchRefused, match=words):
        rule.bring_about(Request(OFFER, moved=True), recorded, deadline=clock.monotonic() + DAY)
    anew = Request(OFFER, moved=True, changed=True, triggered=True)
    if recorded.unanswered_at:
        just_now = replace(recorded, unanswered_at=clock.now())
    else:
        just_now = replace(
            recorded, submitted_at=clock.now(), missing_since=clock.now() if recorded.operation_id else None
        )
    with pytest.raises(LaunchRefused, match=words):
        rule.bring_about(anew, just_now, deadline=clock.monotonic() + DAY)
    assert accepted(world) == 0
    # Lost for all that is known, for long, and asked for anew.
    rule.bring_about(anew, recorded, deadline=clock.monotonic() + DAY)
    assert accepted(world) == 1
    world.remove_offer("contoso", "vm")
    assert rule.refreshed(OFFER, recorded) == recorded
    assert any("stays recorded" in warning for warning in stack.told.warnings)


@pytest.mark.parametrize("ending", ["succeeded", "failed"])
def test_a_refresh_does_not_take_an_earlier_end_by_the_same_id_for_the_new_one(ending: str) -> None:
    clock = FakeClock()
    world = world_with(clock, seconds=600, ends=ending)
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    stack.up()
    assert stack.launch
    earlier = api.operation(OFFER, stack.launch.operation_id or "")
    clock.pass_by(3600)
    stack.triggers += 1
    stack.wait = False
    stack.up()
    with pytest.MonkeyPatch.context() as late:
        late.setattr(api, "shown", lambda *_: earlier)
        clock.pass_by(45)
        stack.refresh()
        stack.up()
    assert status_of(stack) is Status.RUNNING
    assert accepted(world) == 2


@pytest.mark.parametrize("ending", ["succeeded", "failed"])
def test_an_id_that_recurs_says_nothing_of_versions_and_a_list_shows_it_too(ending: str) -> None:
    """The earlier go-live was of another version; its end stands at the address, and in the list where that is 404."""
    clock = FakeClock()
    world = world_with(clock, seconds=60, ends=ending, listing_lag_seconds=20)
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    stack.up()
    assert stack.launch
    earlier = replace(api.operation(OFFER, stack.launch.operation_id or ""), version=None)
    world.offer("contoso", "vm").behaviour = Behaviour.model_validate({"seconds": 600, "listing_lag_seconds": 20})
    clock.pass_by(3600)
    world.put_in_preview("contoso", "vm")
    stack.triggers += 1
    read, since = api.shown, clock.seconds

    def late(offer: OfferKey, operation_id: str) -> Operation:
        if clock.seconds < since + 4:
            raise NotFound("not found yet", status=404)
        return earlier if clock.seconds < since + 45 else read(offer, operation_id)

    api.shown = late  # type: ignore[method-assign]
    assert stack.up() is None
    assert clock.seconds > since + 600
    assert accepted(world) == 2


def test_two_resources_submit_once_where_the_list_holds_an_earlier_go_live_by_the_same_id() -> None:
    clock = FakeClock()
    world = world_with(clock, seconds=60, listing_lag_seconds=20)
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    stack.up()
    clock.pass_by(3600)
    recorded, turns = stack.launch, Turns()
    for _ in range(2):
        rule = GoingLive(api, clock, Told(), turns=turns)
        anew = Request(OFFER, wait=False, changed=True, triggered=True)
        rule.bring_about(anew, recorded, deadline=clock.monotonic() + DAY)
    assert accepted(world) == 2


def test_what_failed_is_told_again_where_nothing_stands_in_preview_any_more() -> None:
    stack, world, _, _ = stack_on(ends="failed")
    assert isinstance(stack.up(), LaunchFailed)
    stack.resubmit = False
    world.offer("contoso", "vm").preview = None
    for _ in range(2):
        assert isinstance(stack.up(), LaunchFailed)


def test_a_failure_is_told_to_other_triggers_that_cannot_be_served() -> None:
    """Nothing stands in preview any more, and the go-live that was begun for the triggers of before has failed."""
    stack, world, _, clock = stack_on(ends="failed")
    stack.wait = False
    stack.up()
    clock.pass_by(600)
    world.offer("contoso", "vm").preview = None
    stack.triggers += 1
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "a go-live of version 7 failed" in str(error)


def test_a_run_that_is_cancelled_before_the_versions_are_read_leaves_that_to_the_next() -> None:
    stack, world, api, clock = stack_on(seconds=60)
    look = api.live

    def cancelled(offer: OfferKey) -> Slot | None:
        if world.offer("contoso", "vm").operations and clock.seconds > 60:
            raise Interrupted
        return look(offer)

    api.live = cancelled  # type: ignore[method-assign]
    error = stack.up()
    assert "cancelled before its versions were read" in str(error)
    api.live = look  # type: ignore[method-assign]
    assert stack.up() is None
    assert stack.launch
    assert (stack.launch.live_version, stack.launch.confirmed_live_version) == ("7", "7")
    assert accepted(world) == 1


def test_an_unanswered_go_live_that_production_shows_is_not_sent_again() -> None:
    """Its operations are not listed, but the slot has changed since it was sent."""
    stack, world, _, clock = stack_on(seconds=5, listing_lag_seconds=3600)
    api = _Hangs(world, clock)
    stack.new_api = lambda: api
    assert isinstance(stack.up(), LaunchUnknown)
    api.hangs = False
    clock.pass_by(60)
    assert stack.up() is None
    assert accepted(world) == 1


def test_a_pin_on_what_is_live_already_keeps_the_record_of_how_it_went_live() -> None:
    stack, world, _, clock = stack_on()
    assert stack.up() is None
    before = stack.launch
    clock.pass_by(3600)
    stack.pin = "7"
    assert stack.up() is None
    assert stack.launch == before
    assert accepted(world) == 1


def test_an_end_that_was_doubted_does_not_answer_triggers_that_came_after_it() -> None:
    """It ended unseen within seconds; what is asked for since is submitted, and not taken for answered."""
    clock = FakeClock()
    world = world_with(clock, seconds=3)
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock, wait=False)
    stack.up()
    clock.pass_by(60)
    stack.triggers += 1
    stack.wait = True
    assert stack.up() is None
    assert accepted(world) == 2


def test_what_waits_for_a_doubted_end_is_submitted_by_a_later_run() -> None:
    """The earlier one ended unseen: a run that does not wait doubts it, and one that asks for nothing new sees it."""
    clock = FakeClock()
    world = world_with(clock, seconds=3)
    api = WorldApi(world, clock, recurring_ids=True)
    read = api.shown
    api.shown = lambda offer, operation_id: replace(read(offer, operation_id), changed_at=None)  # type: ignore[method-assign]
    stack = Stack(lambda: api, clock, wait=False)
    stack.up()
    clock.pass_by(60)
    stack.triggers += 1
    stack.up()
    assert stack.launch
    assert stack.launch.superseded
    clock.pass_by(600)
    stack.refresh()
    stack.wait = True
    assert stack.up() is None
    assert accepted(world) == 2
    assert status_of(stack) is Status.SUCCEEDED


def test_what_was_over_before_is_no_operation_of_this_launch_however_long_that_is_not_found() -> None:
    clock = FakeClock()
    world = world_with(clock, seconds=60, ends="failed")
    api = WorldApi(world, clock, recurring_ids=True)
    stack = Stack(lambda: api, clock)
    stack.up()
    earlier = api.operations(OFFER)
    world.offer("contoso", "vm").behaviour = Behaviour.model_validate({"seconds": 6000})
    clock.pass_by(3600)
    stack.wait = False
    stack.up()
    clock.pass_by(600)
    with pytest.MonkeyPatch.context() as hidden:
        hidden.setattr(api, "operations", lambda _: earlier)
        api.faults.reads = ["404"] * 3
        stack.up()
        assert status_of(stack) is Status.RUNNING
    api.faults.reads.clear()
    stack.wait = True
    stack.up()
    assert accepted(world) == 2
