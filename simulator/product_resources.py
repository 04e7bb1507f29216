"""An offer's content as product ingestion edits it: a list of resources, each with a schema and a durable id. Pure.

Only as much as clients need to edit a draft and to find what they wrote: what a resource says is not looked into.
"""

from __future__ import annotations

import copy
import re
import uuid
from typing import Any

from simulator.offer_types import offer_type
from simulator.world import Offer

Resource = dict[str, Any]
SCHEMA = re.compile(r"https?://[^/]+/schema/(?P<kind>[a-z0-9-]+)/(?P<version>[^/]+)/?$")
_PLAN = uuid.UUID("0b1de3a5-55c8-4a43-9d0c-07b7f7f1f5a1")


def kind_of(resource: Resource) -> str:
    """The type that its schema names, whatever the host [O]; "" for none."""
    match = SCHEMA.match(str(resource.get("$schema", "")))
    return match["kind"] if match else ""


def resources_of(offer: Offer, definition: dict[str, Any]) -> list[Resource]:
    """The resources of a content, each `$schema` only its type: the version is chosen for each answer."""
    kept = definition.get("resources")
    return copy.deepcopy(kept) if isinstance(kept, list) else _usual(offer)


def edited(offer: Offer, edits: list[Resource]) -> tuple[dict[str, Any], list[Resource]]:
    """The draft's definition with the edits merged in, and these as they were taken, with their ids."""
    definition = dict(offer.draft.definition)
    resources = resources_of(offer, definition)
    names: dict[str, str] = {}
    taken = []
    for edit in edits:
        resource = {key: _resolved(key, value, names, resources) for key, value in edit.items()}
        resource.pop("resourceName", None)
        resource["$schema"] = kind_of(edit)
        known = next((r for r in resources if _same(r, resource)), None)
        if known is not None:
            known.update(resource)
            resource = known
        else:
            resource.setdefault("id", _new_id(offer, resource))
            resources.append(resource)
        if isinstance(edit.get("resourceName"), str):
            names[edit["resourceName"]] = str(resource["id"])
        taken.append(copy.deepcopy(resource))
    return {**definition, "resources": resources}, taken


def _same(one: Resource, other: Resource) -> bool:
    if "id" in other:
        return bool(one["id"] == other["id"])
    names = ("$schema", "identity") if "identity" in other else ("$schema", "product", "plan")
    return all(one.get(name) == other.get(name) for name in names)


def _new_id(offer: Offer, resource: Resource) -> str:
    kind = resource["$schema"]
    if kind in ("product", "submission"):
        return f"{kind}/{offer.product_id}"
    return f"{kind}/{offer.product_id}/{uuid.uuid5(_PLAN, repr(sorted(resource.items(), key=repr)))}"


def _resolved(name: str, value: Any, names: dict[str, str], resources: list[Resource]) -> Any:
    """A reference by resourceName is to a resource of the same payload, one by externalId to a product or plan [D]."""
    if isinstance(value, dict) and set(value) == {"resourceName"}:
        return names.get(str(value["resourceName"]), value)
    if name in ("product", "plan") and isinstance(value, dict) and set(value) == {"externalId"}:
        return next((one["id"] for one in resources if one["$schema"] == name and one.get("identity") == value), value)
    return value


def _usual(offer: Offer) -> list[Resource]:
    """What an offer consists of that nobody described: one plan, and as many kinds as clients read [D schemas]."""
    guid, kind = offer.product_id, offer_type(offer.offer_type_id).product_ingestion
    plan_guid = uuid.uuid5(_PLAN, offer.key)
    plan = f"plan/{guid}/{plan_guid}"
    names, of_plan = {"product": f"product/{guid}"}, {"product": f"product/{guid}", "plan": plan}
    machine = kind in ("azureVirtualMachine", "coreVirtualMachine")
    word = "azureVM" if machine else kind
    contact = {"name": "Contoso", "email": "support@contoso.example", "phone": "1"}
    identity = {"externalId": "contoso"}
    found: list[Resource] = [
        {"$schema": "product", "id": f"product/{guid}", "identity": {"externalId": offer.offer_id}, "type": kind},
        {
            "$schema": "plan",
            "id": plan,
            "identity": identity,
            "alias": "contoso",
            "azureRegions": ["azureGlobal"],
            **names,
        },
        {
            "$schema": "property",
            "id": f"property/{guid}",
            "kind": word,
            "categories": {},
            "termsConditions": "standardMicrosoft",
            "termsOfUseUrl": None,
            **names,
        },
        {
            "$schema": "listing",
            "id": f"listing/{guid}/public/main/default/en-us",
            "kind": word,
            "languageId": "en-us",
            "title": offer.offer_id,
            "description": f"{offer.offer_id} of {offer.publisher_id}",
            "searchResultSummary": offer.offer_id,
            "shortDescription": offer.offer_id,
            "privacyPolicyLink": "https://contoso.example/privacy",
            "cloudSolutionProviderMarketingMaterials": "",
            "generalLinks": [],
            "supportContact": contact,
            "engineeringContact": contact,
            **names,
        },
        {
            "$schema": "plan-listing",
            "id": f"plan-listing/{guid}/public/main/{plan_guid}/en-us",
            "kind": f"{word}-plan",
            "languageId": "en-us",
            "name": "contoso",
            "summary": "contoso",
            "description": "contoso",
            **of_plan,
        },
        {"$schema": "customer-leads", "id": f"customer-leads/{guid}", "leadDestination": "none", **names},
        {
            "$schema": "reseller",
            "id": f"reseller/{guid}",
            "resellerChannelState": "notOptedIn",
            "audiences": [],
            **names,
        },
        {
            "$schema": "price-and-availability-offer",
            "id": f"price-and-availability-offer/{guid}",
            "previewAudiences": [{"type": "subscription", "id": str(uuid.UUID(int=1)), "label": "us"}],
            **names,
        },
    ]
    if machine:
        config = ("" if kind == "azureVirtualMachine" else "core-") + "virtual-machine-plan-technical-configuration"
        found.append(
            {
                "$schema": config,
                "id": f"{config}/{guid}/{plan_guid}",
                "operatingSystem": {"family": "linux", "type": "other", "friendlyName": "Linux"},
                "recommendedVmSizes": ["d2s-standard"],
                "openPorts": [],
                "vmProperties": {"supportsExtensions": True, "supportsCloudInit": True},
                "skus": [
                    {"imageType": "x64Gen2", "skuId": "contoso"},
                    {"imageType": "x64Gen1", "skuId": "contoso-gen1"},
                ],
                "vmImageVersions": [],
                **of_plan,
            }
        )
    return found
