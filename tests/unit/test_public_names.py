"""What a program may import, and nothing else."""

from __future__ import annotations

import providers.azure_marketplace as package


def test_the_public_names_are_exactly_all() -> None:
    public = {name for name, value in vars(package).items() if not name.startswith("_") and not is_module(value)}
    public.discard("annotations")
    assert public == set(package.__all__) == {"OfferGoLive"}


def is_module(value: object) -> bool:
    return type(value).__name__ == "module"
