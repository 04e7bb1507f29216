"""Which offer type is taken live through which publishing API. Pure; the one place that knows.

docs/publishing-apis.md shows the table to users, with the source of each line; a test holds the two together.
"""

from __future__ import annotations

import re

from providers.azure_marketplace.errors import WrongApi
from providers.azure_marketplace.publishing import OfferKey

__all__ = ["SUPPORTED", "apis_for", "refuse_wrong_type"]

_CLOUD_PARTNER_PORTAL = "cloudPartnerPortal"
_PRODUCT_INGESTION = "productIngestion"
_PARTNER_CENTER = "partnerCenter"

SUPPORTED: dict[str, tuple[str, ...]] = {
    "azureVirtualMachine": (_PRODUCT_INGESTION, _CLOUD_PARTNER_PORTAL),
    "coreVirtualMachine": (_PRODUCT_INGESTION,),
    "azureContainer": (_PRODUCT_INGESTION, _CLOUD_PARTNER_PORTAL),
    "containerApp": (_PRODUCT_INGESTION,),
    "softwareAsAService": (_PRODUCT_INGESTION, _PARTNER_CENTER),
    "azureApplication": (_PARTNER_CENTER,),
    "dynamics365BusinessCentral": (_PARTNER_CENTER,),
    "dynamics365ForCustomerEngagement": (_PARTNER_CENTER,),
    "dynamics365ForOperations": (_PARTNER_CENTER,),
    "consultingService": (_CLOUD_PARTNER_PORTAL,),
    "iotEdgeModule": (_CLOUD_PARTNER_PORTAL,),
    "managedService": (_CLOUD_PARTNER_PORTAL,),
    "powerBiApp": (_CLOUD_PARTNER_PORTAL,),
}
"""By product ingestion's name of the type: the APIs as the input `api` names them, the one to choose first."""

# Partner Center's resourceType says AzureThirdPartyVirtualMachine, and puts Azure before every other name as well.
_OTHER_NAMES = {"thirdpartyvirtualmachine": "virtualmachine"}


def apis_for(offer_type: str) -> tuple[str, ...]:
    """The APIs that take an offer of this type live, the one to choose first; none for a type that is not known.

    offer_type: product ingestion's `type` or Partner Center's `resourceType`, in any casing.
    """
    name = _folded(offer_type)
    return _BY_NAME.get(_OTHER_NAMES.get(name, name), ())


def refuse_wrong_type(offer: OfferKey, offer_type: str, api: str, title: str) -> None:
    """Raise `WrongApi` where it is known that `api` does not take this type of offer live."""
    apis = apis_for(offer_type)
    if apis and api not in apis:
        this = title[:1].lower() + title[1:]
        raise WrongApi(f"{offer} is of the type {offer_type}, which {this} does not take live", api=apis[0])


def _folded(offer_type: str) -> str:
    return re.sub(r"[^a-z0-9]", "", offer_type.lower()).removeprefix("azure")


_BY_NAME = {_folded(name): apis for name, apis in SUPPORTED.items()}
