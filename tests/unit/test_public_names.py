"""What a program may import, and nothing else."""

from __future__ import annotations

import providers.azure_marketplace as package
from providers.azure_marketplace.inputs import INPUT_NAMES, model


def test_the_public_names_are_exactly_all() -> None:
    public = {name for name, value in vars(package).items() if not name.startswith("_") and not is_module(value)}
    public.discard("annotations")
    assert public == set(package.__all__) == {"OfferGoLive"}


def test_the_names_of_the_inputs_are_those_that_are_checked() -> None:
    assert tuple(model().model_fields) == INPUT_NAMES


def is_module(value: object) -> bool:
    return type(value).__name__ == "module"
