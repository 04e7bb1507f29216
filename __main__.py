"""One `OfferGoLive` for each entry of the project's `offers` configuration; its report is exported by its name."""

from __future__ import annotations

from typing import Any

import pulumi

from providers.azure_marketplace import OfferGoLive

# As the configuration calls it, and as the resource does, which checks the values.
ARGUMENTS = {
    "publisherId": "publisher_id",
    "offerId": "offer_id",
    "offerVersion": "offer_version",
    "triggers": "triggers",
    "wait": "wait",
    "api": "api",
}
HINT = "See `offers` in Pulumi.yaml, and Pulumi.local.yaml for an example."


def configured_offers() -> list[dict[str, Any]]:
    """The entries of `offers`, each with a name of its own. Raises RunError, which is shown without a traceback."""
    try:
        offers = pulumi.Config().get_object("offers")
    except pulumi.ConfigTypeError:
        offers = "malformed"
    if not offers:
        raise pulumi.RunError(f"There are no offers to take live: this stack's `offers` is empty. {HINT}")
    if not isinstance(offers, list):
        raise pulumi.RunError(f"`offers` must be a list of offers. {HINT}")
    names = set()
    for number, offer in enumerate(offers, start=1):
        where = f"Entry {number} of `offers`"
        name = offer.get("name") if isinstance(offer, dict) else None
        if not isinstance(name, str) or not name:
            raise pulumi.RunError(f"{where} needs a `name`: what the resource is called. {HINT}")
        if name in names:
            raise pulumi.RunError(f"{where} is called {name!r}, as an earlier one is: each needs its own name.")
        unknown = sorted(map(str, offer.keys() - ARGUMENTS.keys() - {"name"}))
        if unknown:
            raise pulumi.RunError(f"{where} ({name}) has unknown keys: {', '.join(unknown)}. {HINT}")
        names.add(name)
    return offers


for entry in configured_offers():
    arguments = {python: entry.get(key) for key, python in ARGUMENTS.items()}
    resource = OfferGoLive(entry["name"], **{**arguments, "wait": entry.get("wait", True)})
    pulumi.export(entry["name"], resource.report)
