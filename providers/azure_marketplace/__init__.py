"""Take Azure Marketplace offers live, as a Pulumi resource."""

from providers.azure_marketplace.offer_go_live import OfferGoLive

__all__ = ["OfferGoLive"]
