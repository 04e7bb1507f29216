"""Which offer a request is about, where its address or its body says so: for faults that are meant for one offer.

The portal's addresses name publisher and offer; the siblings' name a product's GUID, a job, or the offer in the query.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from simulator.world import Refusal, World

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_PORTAL = re.compile(r"/publishers/([^/]+)/offers/([^/]+)|/operations/([^/$]+)\$([^/$]+)\$")
_ASKED = re.compile(r"(?:^|&)externalid=([^&]*)|i/value eq '([^']*)'", re.I)


def offer_of(world: World, path: str, query: str = "", body: bytes = b"") -> str | None:
    """Its `publisher/offer`, or None where nothing tells."""
    portal = _PORTAL.search(path)
    if portal is not None:
        publisher, offer = (word for word in portal.groups() if word is not None)
        return f"{publisher}/{offer}"
    for guid in (*_GUID.findall(path), *_GUID.findall(body.decode("latin-1"))):
        found = _of_guid(world, guid)
        if found is not None:
            return found
    asked = _ASKED.search(unquote_plus(query))
    if asked is None:
        return None
    name = asked[1] or asked[2]
    return next((key for key, offer in world.offers.items() if offer.offer_id == name), None)


def _of_guid(world: World, guid: str) -> str | None:
    for find in (world.product, lambda known: world.find_operation(known)[0]):
        try:
            return find(guid).key
        except Refusal:
            continue
    return None
