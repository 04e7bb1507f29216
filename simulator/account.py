"""What a token reaches in the siblings, whose addresses name no publisher: the offers of every publisher it may use."""

from __future__ import annotations

from simulator.http_terms import Call
from simulator.simulation import Simulation
from simulator.world import Offer, Refusal

FORBIDDEN = "User does not have the required permissions"
# AL-Go#2278 [O]
MISSING_HEADER = "PublisherId is a required header, and must be a positive number."


class Account:
    """Who calls: found by the token, which must be for `audience`."""

    def __init__(self, simulation: Simulation, call: Call, audience: str) -> None:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        self._token = token.strip() if scheme.lower() == "bearer" else ""
        if not simulation.tokens.accepts(self._token, audience):
            raise Refusal(401, "Unauthorized", "The access token is missing, invalid or expired.")
        self._simulation = simulation

    def offers(self) -> list[Offer]:
        """All that Partner Center knows; what only the portal publishes is not found in the siblings [G]."""
        world = self._simulation.world
        seen = [o for o in world.offers.values() if o.apis != ("cloudPartnerPortal",) and self._may_use(o)]
        return [world.offer(o.publisher_id, o.offer_id) for o in seen]

    def product(self, product_id: str) -> Offer:
        offer = self._simulation.world.product(product_id)
        if offer.apis == ("cloudPartnerPortal",):
            raise Refusal(404, "NotFound", f"Product '{product_id}' was not found.")
        if not self._may_use(offer):
            raise Refusal(403, "Forbidden", FORBIDDEN)
        return offer

    def _may_use(self, offer: Offer) -> bool:
        publisher = self._simulation.world.publishers.get(offer.publisher_id)
        forbidden = publisher is not None and publisher.forbidden
        return not forbidden and self._simulation.tokens.may_use(self._token, offer.publisher_id)


def lacks_header(offer: Offer, call: Call) -> bool:
    """Whether the call misses a header that the API suddenly demands, as in June 2026 [O]."""
    name = offer.behaviour.required_header.lower()
    return bool(name) and not call.headers.get(name, "").strip()
