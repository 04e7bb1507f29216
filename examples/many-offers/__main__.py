"""Many offers from configuration, in stages: the canaries go live first, and the rest only if they succeeded.

PULUMI_PARALLEL says how many wait side by side (Pulumi's default is four per core): set it to their number.
"""

from typing import Any

import pulumi

from providers.azure_marketplace import OfferGoLive


def declared(entry: dict[str, Any], after: list[OfferGoLive]) -> OfferGoLive:
    offer = OfferGoLive(
        entry["name"],
        publisher_id=entry["publisherId"],
        offer_id=entry["offerId"],
        offer_version=entry.get("offerVersion"),
        opts=pulumi.ResourceOptions(
            depends_on=after,
            custom_timeouts=pulumi.CustomTimeouts(create="72h", update="72h"),
        ),
    )
    pulumi.export(entry["name"], offer.report)
    return offer


entries = pulumi.Config().require_object("offers")
canaries = [declared(entry, after=[]) for entry in entries if entry.get("canary")]
for entry in entries:
    if not entry.get("canary"):
        declared(entry, after=canaries)
