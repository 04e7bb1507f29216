"""The project's own program: what `offers` may be, and what is said when it is not."""

from __future__ import annotations

import pytest

from tests.engine.conftest import CHECKOUT, Project
from tools.simulator_process import Running

OFFER = {"name": "vm", "publisherId": "contoso", "offerId": "contoso-vm"}


@pytest.fixture
def program(project: Project) -> Project:
    return project.program((CHECKOUT / "__main__.py").read_text())


@pytest.mark.parametrize(
    ("offers", "sentence"),
    [
        (None, "There are no offers to take live"),
        ([], "There are no offers to take live"),
        ("contoso-vm", "`offers` must be a list of offers"),
        ({"vm": OFFER}, "`offers` must be a list of offers"),
        (["contoso-vm"], "Entry 1 of `offers` needs a `name`"),
        ([OFFER, {**OFFER, "name": ""}], "Entry 2 of `offers` needs a `name`"),
        ([OFFER, OFFER], "Entry 2 of `offers` is called 'vm', as an earlier one is"),
        ([{**OFFER, "offerVerson": 7}], "Entry 1 of `offers` (vm) has unknown keys: offerVerson"),
    ],
)
def test_offers_that_are_none_are_told_without_a_traceback(program: Project, offers: object, sentence: str) -> None:
    failed = program.configure({} if offers is None else {"engine-test:offers": offers}).preview()

    assert failed.code != 0
    assert sentence in failed.text
    assert "Traceback" not in failed.text


def test_each_offer_is_a_resource_and_its_report_is_exported_by_name(program: Project, new_simulator: object) -> None:
    assert callable(new_simulator)
    portal: Running = new_simulator(
        scenario="offers: [{offer: contoso/contoso-vm, preview: 7, behaviour: {mode: at once}}]"
    )
    program.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
    program.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"

    done = program.configure({"engine-test:offers": [OFFER]}).up()

    assert done.code == 0, done.text
    exported = program.outputs()["vm"]
    assert (exported["status"], exported["live_version"]) == ("succeeded", "7")
    assert set(exported) == {
        *("publisher_id", "offer_id", "status", "operation_id", "live_version", "preview_version"),
        *("submitted_at", "finished_at", "live_links", "preview_links"),
    }
