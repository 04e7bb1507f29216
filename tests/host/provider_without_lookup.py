"""The provider less the lookup before the POST: what a script does. The proofs must notice it."""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import ConfigureRequest

from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.provider import OfferGoLiveProvider
from providers.azure_marketplace.request import Action


class ProviderWithoutLookup(OfferGoLiveProvider):
    """Submits at once, whatever is seen."""

    def configure(self, req: ConfigureRequest) -> None:
        super().configure(req)

        def submit_at_once(*_: Any) -> tuple[Action, None]:
            return Action.SUBMIT, None

        # A method is not to be assigned to otherwise.
        setattr(GoingLive, "_decide", submit_at_once)  # noqa: B010
        setattr(GoingLive, "_suspicious", lambda *_: False)  # noqa: B010
