"""A virtual machine image, and the offer that sells it: the offer goes live after the image is there.

The offer's plan names the image in Partner Center. When a new image is in place, publish the offer to preview there,
review it, and raise `offerVersion`: that version, and no other, goes live.
"""

import pulumi
from pulumi_azure_native import compute, resources

from providers.azure_marketplace import OfferGoLive

config = pulumi.Config()
group = resources.ResourceGroup("images", location=config.require("location"))
gallery = compute.Gallery("gallery", resource_group_name=group.name, location=group.location, gallery_name="contoso")
image = compute.GalleryImage(
    "image",
    resource_group_name=group.name,
    location=group.location,
    gallery_name=gallery.name,
    gallery_image_name="appliance",
    os_type=compute.OperatingSystemTypes.LINUX,
    os_state=compute.OperatingSystemStateTypes.GENERALIZED,
    hyper_v_generation=compute.HyperVGeneration.V2,
    identifier=compute.GalleryImageIdentifierArgs(publisher="contoso", offer="appliance", sku="standard"),
)
version = compute.GalleryImageVersion(
    "version",
    resource_group_name=group.name,
    location=group.location,
    gallery_name=gallery.name,
    gallery_image_name=image.name,
    gallery_image_version_name=config.require("imageVersion"),
    publishing_profile=compute.GalleryImageVersionPublishingProfileArgs(
        target_regions=[compute.TargetRegionArgs(name=group.location)]
    ),
    storage_profile=compute.GalleryImageVersionStorageProfileArgs(
        source=compute.GalleryArtifactVersionFullSourceArgs(id=config.require("sourceImageId"))
    ),
)
offer = OfferGoLive(
    "contoso-vm",
    publisher_id="contoso",
    offer_id="contoso-vm",
    offer_version=config.get("offerVersion"),
    triggers={"image": version.id},  # another image: the offer goes live again
    opts=pulumi.ResourceOptions(
        depends_on=[version],
        custom_timeouts=pulumi.CustomTimeouts(create="72h", update="72h"),
    ),
)
pulumi.export("contoso-vm", offer.report)
