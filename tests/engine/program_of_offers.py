"""The program of the engine tests: an `OfferGoLive` for each entry of offers.json."""

import json
import os
import pkgutil
from pathlib import Path

import pulumi

from providers.azure_marketplace import OfferGoLive, offer_go_live

if "PROVIDER_OF_TESTS" in os.environ:  # a mutant, for the tests of the tests
    setattr(offer_go_live, "OfferGoLiveProvider", pkgutil.resolve_name(os.environ["PROVIDER_OF_TESTS"]))  # noqa: B010

for name, arguments in json.loads(Path("offers.json").read_text()).items():
    timeout = arguments.pop("timeout", None)
    aliases = [pulumi.Alias(name=alias) for alias in arguments.pop("aliases", [])]
    options = pulumi.ResourceOptions(
        custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout) if timeout else None, aliases=aliases
    )
    resource = OfferGoLive(name, **arguments, opts=options)
    pulumi.export(name, {"status": resource.status, "live": resource.live_version, "id": resource.operation_id})
