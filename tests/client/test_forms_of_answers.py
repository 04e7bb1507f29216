"""Every form of an answer that the documents or running clients show leads to the same end, over real HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Conflict,
    Forbidden,
    LaunchFailed,
    LaunchRefused,
    OfferGoLiveError,
    Unauthorized,
    UntrustedAddress,
)
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import OfferKey, Status
from providers.azure_marketplace.request import Request
from simulator import Simulator
from simulator.faults import Fault
from tests.unit.worlds import Told

VM = OfferKey("contoso", "vm")
Rule = Callable[..., tuple[GoingLive, Clock]]


def take_live(rule: Rule, offer: OfferKey = VM, **environment: str) -> Launch:
    going_live, clock = rule(**environment)
    return going_live.bring_about(Request(offer), None, deadline=clock.monotonic() + 30)


def accepted(simulator: Simulator) -> int:
    return simulator.simulation.world.accepted_golives("contoso", "vm")


def strike(simulator: Simulator, **fault: Any) -> None:
    simulator.faults.add(Fault.model_validate(fault))


@pytest.mark.parametrize(
    ("header", "form", "versioned", "id_form"),
    list(
        itertools.product(
            ["Location", "Operation-Location", "both"], ["relative", "absolute"], [True, False], ["guid", "dollar"]
        )
    ),
)
def test_every_form_of_the_operations_address_is_followed(
    simulator: Simulator, rule: Rule, header: str, form: str, versioned: bool, id_form: str
) -> None:
    simulator.add_offer(
        "contoso",
        "vm",
        preview=7,
        mode="by polls",
        polls=2,
        location_header=header,
        location_form=form,
        location_api_version=versioned,
        location_id=id_form,
    )
    launch = take_live(rule)
    assert launch.status is Status.SUCCEEDED
    assert launch.live_version == "7"
    assert accepted(simulator) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        {"accept_code": 200},
        {"location_header": "none"},
        {"operation_shape": "array"},
        {"word_succeeded": "complete"},
        {"word_succeeded": "Succeeded"},
        {"word_succeeded": "COMPLETED", "word_running": "In Progress"},
        {"word_running": "waitingForPublisherReview"},
        {"word_running": "Hibernating"},
        {"migrated": True},
        {"migrated": True, "changed_time_zone": False},
        {"etag_on_get": False},
        {"extra_fields": True},
        {"listing_order": "oldest"},
        {"fresh_404_reads": 2},
        {"not_started_reads": 2},
        {"blocked_at": "displaycertify"},
        {"submission_type_golive": "GGoLive", "slot_golive": "live"},
        {"golive_bumps_version": True},
        {"preview_after_golive": "dropped"},
    ],
    ids=str,
)
def test_every_way_to_say_it_comes_to_the_same(simulator: Simulator, rule: Rule, behaviour: dict[str, Any]) -> None:
    simulator.add_offer("contoso", "vm", preview=7, mode="by polls", polls=3, **behaviour)
    launch = take_live(rule)
    assert launch.status is Status.SUCCEEDED
    assert launch.operation_id
    assert accepted(simulator) == 1


def test_an_unknown_word_is_told_once(simulator: Simulator, rule: Rule, told: Told) -> None:
    simulator.add_offer("contoso", "vm", preview=7, mode="by polls", polls=5, word_running="Hibernating")
    take_live(rule)
    assert sum("'Hibernating'" in warning for warning in told.warnings) == 1


@pytest.mark.parametrize("word", ["failed", "Failed", "canceled", "Cancelled"])
def test_an_operation_that_ends_badly_is_told_with_the_portals_words(
    simulator: Simulator, rule: Rule, word: str
) -> None:
    failed = word.lower() == "failed"
    simulator.add_offer(
        "contoso",
        "vm",
        preview=7,
        mode="at once",
        ends="failed" if failed else "canceled",
        word_failed=word if failed else "failed",
        word_canceled="canceled" if failed else word,
    )
    with pytest.raises(OfferGoLiveError) as told:
        take_live(rule)
    if failed:
        assert isinstance(told.value, LaunchFailed)
        assert "No virtual machine image was found for the plan contoso." in str(told.value)
        assert "<" not in str(told.value), "HTML is made plain text"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "error", "status": 401}, Unauthorized, "Sign in anew"),
        ({"kind": "error", "status": 403}, Forbidden, "enterprise application"),
    ],
    ids=["401", "403"],
)
def test_refusals_have_words_of_their_own(
    simulator: Simulator, rule: Rule, fault: dict[str, Any], kind: type[OfferGoLiveError], words: str
) -> None:
    simulator.add_offer("contoso", "vm", preview=7)
    strike(simulator, **fault, method="POST", path="*/golive")
    with pytest.raises(kind) as told:
        take_live(rule)
    assert words in str(told.value)
    assert accepted(simulator) == 0


def test_a_conflict_that_nothing_explains_is_told(simulator: Simulator, rule: Rule) -> None:
    simulator.add_offer("contoso", "vm", preview=7, publish={"mode": "held"})
    simulator.world.publish("contoso", "vm")
    with pytest.raises(Conflict) as told:
        take_live(rule)
    assert "See in the portal what is running" in str(told.value)


def test_an_offer_without_preview_and_one_that_is_not_there(simulator: Simulator, rule: Rule) -> None:
    simulator.add_offer("contoso", "vm", preview=None, production=3)
    with pytest.raises(LaunchRefused, match="nothing in preview"):
        take_live(rule)
    with pytest.raises(LaunchRefused, match="There is no offer 'nowhere'"):
        take_live(rule, OfferKey("contoso", "nowhere"))


@pytest.mark.parametrize(
    "host",
    [
        "https://attacker.example",
        "http://127.0.0.1.attacker.example",
        "//attacker.example",
        "https://127.0.0.1@evil.example",
    ],
)
def test_another_host_is_named_and_gets_nothing_and_the_list_tells(
    simulator: Simulator, rule: Rule, told: Told, host: str
) -> None:
    """The go-live was accepted, whatever address its answer names."""
    simulator.add_offer("contoso", "vm", preview=7, mode="at once", location_host=host, location_form="absolute")
    assert take_live(rule).status is Status.SUCCEEDED
    name = host.rpartition("/")[2].rpartition("@")[2]
    assert any("was accepted, but" in warning and name in warning for warning in told.warnings)
    assert accepted(simulator) == 1


def test_a_redirect_is_not_followed(simulator: Simulator, rule: Rule) -> None:
    simulator.add_offer("contoso", "vm", preview=7)
    strike(simulator, kind="redirect", location="https://attacker.example/", path="*")
    with pytest.raises(UntrustedAddress, match="redirect"):
        take_live(rule)


@pytest.mark.parametrize("kind", ["service_error", "bad_gateway", "internal_error", "truncated", "malformed", "reset"])
def test_bad_weather_on_reads_ends_no_wait(simulator: Simulator, rule: Rule, kind: str) -> None:
    simulator.add_offer("contoso", "vm", preview=7, mode="by polls", polls=4)
    strike(simulator, kind=kind, method="GET", nth=[2, 4, 6])
    assert take_live(rule).status is Status.SUCCEEDED
    assert accepted(simulator) == 1


@pytest.mark.parametrize("kind", ["huge", "deep"])
def test_answers_without_bounds_are_not_taken_in(simulator: Simulator, rule: Rule, kind: str) -> None:
    simulator.add_offer("contoso", "vm", preview=7, mode="by polls", polls=3)
    strike(simulator, kind=kind, method="GET", path="*/operations/*", nth=1)
    assert take_live(rule).status is Status.SUCCEEDED
