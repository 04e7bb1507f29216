"""Which API an offer type belongs to: the table of the docs is that of the code, and every name of a type is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from providers.azure_marketplace.errors import WrongApi
from providers.azure_marketplace.inputs import APIS
from providers.azure_marketplace.offer_types import SUPPORTED, apis_for, refuse_wrong_type
from providers.azure_marketplace.publishing import OfferKey

PAGE = (Path(__file__).parents[2] / "docs" / "publishing-apis.md").read_text(encoding="utf-8")


def test_the_table_of_the_docs_is_that_of_the_code() -> None:
    table = PAGE.partition("| offer type |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", table, re.M)
    shown = {name: tuple(re.findall(r"`(\w+)`", apis)) for name, apis, _ in rows}
    assert shown == SUPPORTED
    assert all(re.search(r"\[[DOG]\]", source) for _, _, source in rows), "each line says how it is known"


def test_only_known_apis_are_named() -> None:
    assert {api for apis in SUPPORTED.values() for api in apis} <= set(APIS)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("AzureThirdPartyVirtualMachine", "productIngestion"),
        ("azureVirtualMachine", "productIngestion"),
        ("AzureContainer", "productIngestion"),
        ("AzureApplication", "partnerCenter"),
        ("AzureDynamics365BusinessCentral", "partnerCenter"),
        ("AzureDynamics365ForCustomerEngagement", "partnerCenter"),
        ("SOFTWAREASASERVICE", "productIngestion"),
        ("managedService", "cloudPartnerPortal"),
    ],
)
def test_every_apis_names_of_a_type_are_known(name: str, first: str) -> None:
    assert apis_for(name)[0] == first


@pytest.mark.parametrize("name", ["", "AzureDeveloperService", "AzureVisualStudioExtension", "xbox360NonBackcompat"])
def test_a_type_that_nobody_knows_is_refused_nowhere(name: str) -> None:
    assert apis_for(name) == ()
    for api in APIS:
        refuse_wrong_type(OfferKey("contoso", "x"), name, api, "The API")


def test_the_refusal_names_the_api_to_choose() -> None:
    with pytest.raises(WrongApi) as told:
        refuse_wrong_type(OfferKey("contoso", "x"), "AzureApplication", "productIngestion", "The product ingestion API")
    assert str(told.value) == (
        "contoso/x is of the type AzureApplication, which the product ingestion API does not take live. "
        "Set api to partnerCenter."
    )
