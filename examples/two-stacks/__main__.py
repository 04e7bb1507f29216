"""One program, two stacks: a publisher for trying, and the one that customers buy from.

The staging stack takes live whatever is in preview; the production stack takes nothing live without a pin.
"""

import pulumi

from providers.azure_marketplace import OfferGoLive

config = pulumi.Config()
version = config.get("offerVersion")
if config.require_bool("pinned") and not version:
    raise pulumi.RunError("This stack takes pinned versions live only: `pulumi config set offerVersion <version>`.")

offer = OfferGoLive(
    "vm",
    publisher_id=config.require("publisherId"),
    offer_id=config.require("offerId"),
    offer_version=version,
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="72h", update="72h")),
)
pulumi.export("vm", offer.report)
