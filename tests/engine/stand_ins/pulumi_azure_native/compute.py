"""`pulumi_azure_native.compute`, as far as the example goes: an unknown argument is an error here too."""

from __future__ import annotations

from enum import Enum

import pulumi

from ._resource import Made


class OperatingSystemTypes(str, Enum):
    LINUX = "Linux"


class OperatingSystemStateTypes(str, Enum):
    GENERALIZED = "Generalized"


class HyperVGeneration(str, Enum):
    V2 = "V2"


def GalleryImageIdentifierArgs(
    *, publisher: pulumi.Input[str], offer: pulumi.Input[str], sku: pulumi.Input[str]
) -> object:
    return {"publisher": publisher, "offer": offer, "sku": sku}


def TargetRegionArgs(*, name: pulumi.Input[str]) -> object:
    return {"name": name}


def GalleryImageVersionPublishingProfileArgs(*, target_regions: list[object]) -> object:
    return {"targetRegions": target_regions}


def GalleryArtifactVersionFullSourceArgs(*, id: pulumi.Input[str]) -> object:  # noqa: A002
    return {"id": id}


def GalleryImageVersionStorageProfileArgs(*, source: object) -> object:
    return {"source": source}


class Gallery(Made):
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        resource_group_name: pulumi.Input[str],
        location: pulumi.Input[str],
        gallery_name: pulumi.Input[str],
    ) -> None:
        arguments = {"group": resource_group_name, "location": location, "gallery": gallery_name}
        super().__init__(resource_name, "Gallery", arguments, opts)


class GalleryImage(Made):
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        resource_group_name: pulumi.Input[str],
        location: pulumi.Input[str],
        gallery_name: pulumi.Input[str],
        gallery_image_name: pulumi.Input[str],
        os_type: OperatingSystemTypes,
        os_state: OperatingSystemStateTypes,
        hyper_v_generation: HyperVGeneration,
        identifier: object,
    ) -> None:
        arguments = {
            "group": resource_group_name,
            "location": location,
            "gallery": gallery_name,
            "image": gallery_image_name,
            "system": [os_type.value, os_state.value, hyper_v_generation.value],
            "identifier": identifier,
        }
        super().__init__(resource_name, "GalleryImage", arguments, opts)


class GalleryImageVersion(Made):
    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        resource_group_name: pulumi.Input[str],
        location: pulumi.Input[str],
        gallery_name: pulumi.Input[str],
        gallery_image_name: pulumi.Input[str],
        gallery_image_version_name: pulumi.Input[str],
        publishing_profile: object,
        storage_profile: object,
    ) -> None:
        arguments = {
            "group": resource_group_name,
            "location": location,
            "gallery": gallery_name,
            "image": gallery_image_name,
            "version": gallery_image_version_name,
            "publishing": publishing_profile,
            "storage": storage_profile,
        }
        super().__init__(resource_name, "GalleryImageVersion", arguments, opts)
