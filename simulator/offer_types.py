"""What the three APIs call the same type of offer, and which types Graph's product ingestion publishes. Pure.

Sources: the portal's offerTypeId (portal-api), the product schema's enum (successor-apis 2.2) and the swagger's
resourceType (3.2) [D]. A word in brackets below is a guess [G].
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OfferType:
    portal: str  # offerTypeId
    product_ingestion: str  # type
    partner_center: str  # resourceType


_DYNAMICS = "dynamics-365"
_TYPES = (
    OfferType("microsoft-azure-virtualmachines", "azureVirtualMachine", "AzureThirdPartyVirtualMachine"),
    OfferType("microsoft-azure-corevm", "coreVirtualMachine", "AzureThirdPartyCoreVirtualMachine"),  # [G] last
    OfferType("microsoft-azure-applications", "azureApplication", "AzureApplication"),
    OfferType("microsoft-azure-containers", "azureContainer", "AzureContainer"),  # [G] first
    OfferType("microsoft-azure-saas", "softwareAsAService", "SoftwareAsAService"),  # [G] first
    OfferType("microsoft-azure-consultingservices", "consultingService", "AzureConsultingService"),  # [G] first, last
    OfferType("microsoft-azure-managedservices", "managedService", "AzureManagedService"),  # [G] first, last
    OfferType("microsoft-azure-iotedgemodules", "iotEdgeModule", "AzureIotEdgeModule"),  # [G] first, last
    OfferType("microsoft-azure-powerbiapp", "powerBiApp", "AzurePowerBiApp"),  # [G] first, last
    OfferType(_DYNAMICS + "-businesscentral", "dynamics365BusinessCentral", "AzureDynamics365BusinessCentral"),
    OfferType(
        _DYNAMICS + "-customerengagement",
        "dynamics365ForCustomerEngagement",
        "AzureDynamics365ForCustomerEngagement",
    ),
    OfferType(_DYNAMICS + "-operations", "dynamics365ForOperations", "AzureDynamics365ForOperations"),
)
_BY_WORD = {word.lower(): t for t in _TYPES for word in (t.portal, t.product_ingestion, t.partner_center)}
# "SaaS, VMs, Private offers, and container offer types" [D learn-PIA]; coreVirtualMachine [O flatcar, cloudpub].
INGESTED = ("softwareAsAService", "azureVirtualMachine", "coreVirtualMachine", "azureContainer", "containerApp")


def offer_type(word: str) -> OfferType:
    """By any of its words, in any case; one that nobody knows is the same word everywhere."""
    return _BY_WORD.get(word.lower()) or OfferType(word, word, word)
