"""The portal's truth without HTTP: what moves, when, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from simulator import Behaviour, Refusal, SimulatorClock, World


class Portal:
    """A world at a standing clock with one offer, contoso/vm: preview 7, production 6."""

    def __init__(self, **behaviour: Any) -> None:
        self.clock = SimulatorClock(frozen_at=1000.0)
        numbers = itertools.count(1)
        self.world = World(self.clock, lambda: f"op-{next(numbers)}")
        self.world.add_offer("contoso", "vm", preview=7, production=6, behaviour=Behaviour().changed(behaviour))

    def golive(self) -> str:
        return self.world.golive("contoso", "vm").id

    def ending(self, operation_id: str) -> str | None:
        return self.world.find_operation(operation_id)[1].ending

    @property
    def live(self) -> int | None:
        production = self.world.offer("contoso", "vm").production
        return None if production is None else production.version

    @property
    def accepted(self) -> int:
        return self.world.accepted_golives("contoso", "vm")


def test_a_golive_at_once_is_live_as_soon_as_it_is_accepted() -> None:
    portal = Portal(mode="at once")
    assert portal.ending(portal.golive()) == "succeeded"
    assert portal.live == 7


def test_a_golive_by_time_ends_when_its_seconds_are_over_and_not_before() -> None:
    portal = Portal(mode="by time", seconds=60)
    operation = portal.golive()
    portal.clock.advance(59.9)
    assert (portal.ending(operation), portal.live) == (None, 6)
    portal.clock.advance(100)
    assert (portal.ending(operation), portal.live) == ("succeeded", 7)


def test_what_ended_unseen_ended_at_the_moment_it_was_due() -> None:
    portal = Portal(mode="by time", seconds=60)
    operation = portal.golive()
    portal.clock.advance(10_000)
    assert portal.world.find_operation(operation)[1].ended_at == 1060
    production = portal.world.offer("contoso", "vm").production
    assert production is not None
    assert production.changed_at == 1060


def test_seconds_per_step_make_the_whole_of_six_steps() -> None:
    portal = Portal(mode="by time", step_seconds=10)
    operation = portal.golive()
    portal.clock.advance(59)
    assert portal.ending(operation) is None
    portal.clock.advance(1)
    assert portal.ending(operation) == "succeeded"


def test_a_golive_by_polls_ends_at_its_nth_poll() -> None:
    portal = Portal(mode="by polls", polls=3)
    operation = portal.golive()
    endings = [portal.world.read_operation("contoso", "vm", operation).ending for _ in range(3)]
    assert endings == [None, None, "succeeded"]


def test_a_held_golive_waits_for_whoever_holds_it() -> None:
    portal = Portal(mode="held")
    operation = portal.golive()
    portal.clock.advance(10**9)
    assert portal.ending(operation) is None
    portal.world.advance(operation, 5)
    assert portal.ending(operation) is None
    portal.world.advance(operation)
    assert portal.ending(operation) == "succeeded"


@pytest.mark.parametrize("ending", ["failed", "canceled"])
def test_only_success_reaches_production(ending: str) -> None:
    portal = Portal(mode="at once", ends=ending)
    assert portal.ending(portal.golive()) == ending
    assert portal.live == 6


def test_production_gets_the_preview_that_stood_at_acceptance() -> None:
    portal = Portal(mode="by time", seconds=60)
    portal.golive()
    portal.world.put_in_preview("contoso", "vm", version=8)
    portal.clock.advance(60)
    assert portal.live == 7


def test_one_operation_runs_at_a_time() -> None:
    """retrieve-operations [D]: only one operation can be running; 409 is a guess [G]."""
    portal = Portal(mode="held")
    portal.golive()
    with pytest.raises(Refusal) as refusal:
        portal.golive()
    assert refusal.value.status == 409
    assert portal.accepted == 1


def test_a_conflict_can_answer_with_the_running_operation_and_accepts_nothing_new() -> None:
    portal = Portal(mode="held", conflict=202)
    assert portal.golive() == portal.golive()
    assert portal.accepted == 1


def test_every_accepted_golive_counts_and_refused_ones_or_those_by_hand_do_not() -> None:
    portal = Portal(mode="at once")
    portal.golive()
    portal.golive()
    portal.world.golive("contoso", "vm", by="portal")
    portal.world.add_offer("contoso", "empty", preview=None)
    with pytest.raises(Refusal):
        portal.world.golive("contoso", "empty")
    assert portal.accepted == 2
    assert portal.world.accepted_golives("contoso", "empty") == 0


def test_the_count_of_accepted_golives_outlives_the_offer() -> None:
    portal = Portal(mode="at once")
    portal.golive()
    portal.world.remove_offer("contoso", "vm")
    assert portal.accepted == 1


@pytest.mark.parametrize("status", [400, 404])
def test_without_a_preview_nothing_goes_live(status: int) -> None:
    """portal-api section 6: 400 or 404, not documented [G]."""
    portal = Portal(golive_without_preview=status)
    portal.world.offer("contoso", "vm").preview = None
    with pytest.raises(Refusal) as refusal:
        portal.golive()
    assert refusal.value.status == status


@pytest.mark.parametrize("status", [400, 409])
def test_an_unchanged_preview_can_be_refused(status: int) -> None:
    """portal-api section 6: golive when production equals preview, nothing found [G]."""
    portal = Portal(mode="at once", golive_unchanged=status)
    portal.golive()
    with pytest.raises(Refusal) as refusal:
        portal.golive()
    assert refusal.value.status == status


def test_a_publish_is_idempotent_while_the_same_draft_is_under_way() -> None:
    """AUTOMATE [D-old]: publishing the version that is being published returns success."""
    portal = Portal(publish={"mode": "held"})
    first = portal.world.publish("contoso", "vm")
    assert portal.world.publish("contoso", "vm") is first


def test_a_publish_of_a_changed_draft_conflicts_with_the_one_under_way() -> None:
    portal = Portal(publish={"mode": "held"})
    portal.world.publish("contoso", "vm")
    portal.world.put_offer("contoso", "vm", offer_type_id="t", definition={"a": 1}, if_match="*")
    with pytest.raises(Refusal):
        portal.world.publish("contoso", "vm")


def test_a_publish_takes_the_draft_to_preview_under_the_next_number() -> None:
    """offer.version: one more per publish [D]."""
    portal = Portal()
    portal.world.put_offer("contoso", "vm", offer_type_id="t", definition={"a": 1}, if_match="*")
    portal.world.publish("contoso", "vm")
    preview = portal.world.offer("contoso", "vm").preview
    assert preview is not None
    assert (preview.version, preview.definition) == (8, {"a": 1})
    assert portal.live == 6


def test_a_publish_can_wait_for_the_signoff_until_the_golive() -> None:
    """SUSE [O]: once the preview is ready the overall status may stay running."""
    portal = Portal(mode="at once", publish_awaits_signoff=True)
    publish = portal.world.publish("contoso", "vm")
    assert publish.ended_at is None
    assert publish.awaiting_signoff_since is not None
    portal.golive()
    assert publish.ending == "succeeded"
    assert portal.live == 8


def test_cancelling_nothing_is_accepted() -> None:
    """OSA [O]: 202 whether or not there was anything to cancel."""
    assert Portal().world.cancel("contoso", "vm").ending == "succeeded"


def test_a_publish_is_canceled_after_a_while() -> None:
    """OSA PR #8449 [O]: a cancel takes one to three minutes."""
    portal = Portal(publish={"mode": "held"}, cancel_seconds=90)
    publish = portal.world.publish("contoso", "vm")
    cancel = portal.world.cancel("contoso", "vm")
    portal.clock.advance(89)
    assert portal.ending(publish.id) is None
    portal.clock.advance(1)
    assert (portal.ending(publish.id), cancel.ending) == ("canceled", "succeeded")


def test_what_ends_before_its_cancel_takes_effect_is_not_canceled() -> None:
    portal = Portal(publish={"mode": "by time", "seconds": 30}, cancel_seconds=90)
    publish = portal.world.publish("contoso", "vm")
    portal.world.cancel("contoso", "vm")
    portal.clock.advance(1000)
    assert portal.ending(publish.id) == "succeeded"


@pytest.mark.parametrize(("switch", "ending"), [("ineffective", "succeeded"), ("effective", "canceled")])
def test_cancelling_a_golive(switch: str, ending: str) -> None:
    """REVIEW [D]: after go live is selected, cancelling is no longer possible."""
    portal = Portal(mode="by time", seconds=600, cancel_golive=switch, cancel_seconds=60)
    operation = portal.golive()
    portal.world.cancel("contoso", "vm")
    portal.clock.advance(600)
    assert portal.ending(operation) == ending


def test_cancelling_a_golive_can_be_refused() -> None:
    portal = Portal(mode="held", cancel_golive="refused")
    portal.golive()
    with pytest.raises(Refusal):
        portal.world.cancel("contoso", "vm")


def test_a_golive_can_number_production_anew() -> None:
    portal = Portal(mode="at once", golive_bumps_version=True)
    portal.golive()
    assert portal.live == 8


def test_a_golive_can_empty_the_preview() -> None:
    portal = Portal(mode="at once", preview_after_golive="dropped")
    portal.golive()
    assert portal.world.offer("contoso", "vm").preview is None


def test_a_listing_can_lag_by_seconds_in_beginning_and_end() -> None:
    portal = Portal(mode="by time", seconds=60, listing_lag_seconds=10)
    portal.golive()
    portal.clock.advance(5)
    assert portal.world.list_operations("contoso", "vm") == []
    portal.clock.advance(60)
    assert [running for _, running in portal.world.list_operations("contoso", "vm")] == [True]
    portal.clock.advance(5)
    assert [running for _, running in portal.world.list_operations("contoso", "vm")] == [False]


def test_a_listing_can_lag_by_reads() -> None:
    portal = Portal(mode="held", listing_lag_reads=2)
    portal.golive()
    assert [len(portal.world.list_operations("contoso", "vm")) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize(("order", "ids"), [("newest", ["op-2", "op-1"]), ("oldest", ["op-1", "op-2"])])
def test_the_order_of_the_listing(order: str, ids: list[str]) -> None:
    """OSA relies on the first being the latest [I]."""
    portal = Portal(mode="at once", listing_order=order)
    portal.golive()
    portal.golive()
    assert [operation.id for operation, _ in portal.world.list_operations("contoso", "vm")] == ids


def test_a_fresh_operation_can_be_unknown_for_some_reads() -> None:
    portal = Portal(mode="held", fresh_404_reads=2)
    operation = portal.golive()
    for _ in range(2):
        with pytest.raises(Refusal):
            portal.world.read_operation("contoso", "vm", operation)
    assert portal.world.read_operation("contoso", "vm", operation).id == operation


def test_a_world_that_was_saved_goes_on_where_it_stood() -> None:
    portal = Portal(mode="by time", seconds=60)
    operation = portal.golive()
    copy = World(portal.clock)
    copy.load_json(portal.world.to_json())
    portal.clock.advance(60)
    assert copy.find_operation(operation)[1].ending == "succeeded"
    assert copy.accepted_golives("contoso", "vm") == 1
    assert copy.to_json() != portal.world.to_json()  # the original has not looked yet
    portal.world.offer("contoso", "vm")
    assert copy.to_json() == portal.world.to_json()


def test_two_changes_of_a_draft_at_one_moment_have_two_etags() -> None:
    portal = Portal()
    stamps = set()
    for _ in range(3):
        portal.world.put_offer("contoso", "vm", offer_type_id="t", definition={}, if_match="*")
        stamps.add(portal.world.offer("contoso", "vm").stamp)
    assert len(stamps) == 3


def test_production_shows_what_was_live_before_while_its_slot_lags_behind() -> None:
    portal = Portal(mode="at once", slot_lag_seconds=20)
    portal.golive()
    assert portal.world.slot("contoso", "vm", "production")[1].version == 6
    portal.clock.advance(21)
    assert portal.world.slot("contoso", "vm", "production")[1].version == 7
