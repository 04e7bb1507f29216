"""`pulumi_azure_native.resources`, as far as the example goes."""

from __future__ import annotations

import pulumi

from ._resource import Made


class ResourceGroup(Made):
    def __init__(
        self, resource_name: str, opts: pulumi.ResourceOptions | None = None, *, location: pulumi.Input[str]
    ) -> None:
        super().__init__(resource_name, "ResourceGroup", {"location": location}, opts)
