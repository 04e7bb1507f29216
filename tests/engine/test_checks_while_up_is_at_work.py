"""The engine checks one resource after another; once `up` has begun to create, checks leave asking to the creates."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.conftest import TOKEN, Project
from tests.engine.portal import control, golives
from tools.simulator_process import Running

PROGRAM = """
import pulumi
from providers.azure_marketplace import OfferGoLive

first = OfferGoLive("first", publisher_id="contoso", offer_id="first")
OfferGoLive("second", publisher_id="contoso", offer_id="second", opts=pulumi.ResourceOptions(depends_on=[first]))
"""
SCENARIO = """
defaults: {mode: at once}
offers:
  - {offer: contoso/first, preview: 7}
  - {offer: contoso/second, preview: null}
"""
REFUSAL = "contoso/second has nothing in preview that could go live: nothing was submitted."


def test_an_offer_is_asked_for_once_and_refused_in_the_same_words(
    project: Project, new_simulator: Callable[..., Running]
) -> None:
    portal = new_simulator(scenario=SCENARIO)
    project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
    project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = TOKEN
    project.program(PROGRAM)

    previewed = project.preview()
    control(portal, "DELETE", "/requests")
    done = project.up()

    assert previewed.code != 0
    assert done.code != 0
    assert any(REFUSAL in words for words in previewed.messages("second"))
    assert any(words.startswith(REFUSAL) for words in done.messages("second"))  # a create's, not a check's
    assert len(golives(portal, "contoso/first")) == 1
    looks = control(portal, "GET", "/requests/count?path=*/offers/second/submissions/")["count"]
    assert looks == 1
