"""Nobody waits: `up` returns once the portal has accepted, and each later `up` asks whether it is done.

Run it on a schedule, every hour say. Once all are live, an `up` sends nothing.
"""

import pulumi

from providers.azure_marketplace import OfferGoLive

for name in pulumi.Config().require_object("offers"):
    offer = OfferGoLive(name, publisher_id="contoso", offer_id=name, wait=False)
    pulumi.export(name, offer.report)
