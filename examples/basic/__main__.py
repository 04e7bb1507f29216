"""One offer: what stands in its preview goes live, and `pulumi up` ends when it is."""

import pulumi

from providers.azure_marketplace import OfferGoLive

config = pulumi.Config()
offer = OfferGoLive(
    "contoso-vm",
    publisher_id=config.require("publisherId"),
    offer_id=config.require("offerId"),
    offer_version=config.get("offerVersion"),  # only this version goes live; without it, whatever is in preview
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="72h", update="72h")),
)
pulumi.export("contoso-vm", offer.report)
