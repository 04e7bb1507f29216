"""The three publishing APIs as one table: their paths do not clash, as they do not in the real addresses."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.cloud_partner_portal import CloudPartnerPortal
from simulator.http_terms import Handler
from simulator.partner_center import PartnerCenter
from simulator.product_ingestion import ProductIngestion
from simulator.simulation import Simulation


def publishing_apis(simulation: Simulation) -> Mapping[str, Mapping[str, Handler]]:
    """Path template -> method -> handler."""
    return {
        **CloudPartnerPortal(simulation).routes(),
        **ProductIngestion(simulation).routes(),
        **PartnerCenter(simulation).routes(),
    }
