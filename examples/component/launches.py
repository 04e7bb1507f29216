"""What every team of this company gets with its offers: the house rules, in one place."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from providers.azure_marketplace import OfferGoLive


class Launches(pulumi.ComponentResource):
    """The offers of one team, each at the version that the team has reviewed in preview.

    offers: the version to take live, by offer id. after: what has to be in place before the first goes live.
    """

    live_versions: pulumi.Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        *,
        publisher_id: pulumi.Input[str],
        offers: Mapping[str, pulumi.Input[str]],
        after: list[pulumi.Resource] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("contoso:marketplace:Launches", name, None, opts)
        self.offers = {
            offer_id: OfferGoLive(
                f"{name}-{offer_id}",
                publisher_id=publisher_id,
                offer_id=offer_id,
                offer_version=version,  # a rule of this house: nothing goes live without a pin
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=after,
                    custom_timeouts=pulumi.CustomTimeouts(create="72h", update="72h"),
                ),
            )
            for offer_id, version in offers.items()
        }
        self.live_versions = pulumi.Output.all(
            **{offer_id: offer.live_version for offer_id, offer in self.offers.items()}
        )
        self.register_outputs({"live_versions": self.live_versions})
