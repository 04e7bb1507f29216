"""What a simulator starts with: the YAML file, and the command line's offers. Unknown keys are errors."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from simulator.behaviour import Behaviour, explain, is_switch
from simulator.faults import Fault
from simulator.world import Api


class ScenarioError(Exception):
    """One sentence that says what is wrong, and where."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OfferSpec(_Strict):
    """An offer and what its slots hold at the start. `behaviour` holds changes to the scenario's defaults."""

    offer: str  # publisher/offer
    preview: int | None = 1
    production: int | None = None
    api: tuple[Api, ...] = ("cloudPartnerPortal",)  # by which it is published: one, or a list
    product_id: str | None = None  # a GUID, by which the siblings know it; default: one made of its names
    offer_type: str | None = None  # in any API's words; default: a virtual machine, or in Partner Center an application
    definition: dict[str, Any] | None = None
    behaviour: dict[str, Any] = Field(default_factory=dict)

    @field_validator("api", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        """The command line writes `a+b`, since a comma ends an option there."""
        return tuple(value.split("+")) if isinstance(value, str) else value

    @field_validator("product_id")
    @classmethod
    def _is_a_guid(cls, value: str | None) -> str | None:
        return None if value is None else str(uuid.UUID(value))

    @field_validator("offer")
    @classmethod
    def _two_names(cls, value: str) -> str:
        publisher, _, offer = value.partition("/")
        if not publisher or not offer or set("/$") & set(offer) or "$" in publisher:
            raise ValueError(f"'{value}' is not of the form publisher/offer")
        return value

    @model_validator(mode="after")
    def _known_switches(self) -> OfferSpec:
        for key in self.behaviour:
            if not is_switch(key):
                raise ValueError(f"behaviour.{key} is not a known key")
        return self

    @property
    def names(self) -> tuple[str, str]:
        publisher, _, offer = self.offer.partition("/")
        return publisher, offer


class PublisherSpec(_Strict):
    id: str
    name: str = ""
    forbidden: bool = False  # answers 403 to every token


class TokenSpec(_Strict):
    value: str = Field(min_length=1)
    publishers: list[str] | None = None
    expires_in: float | None = None  # seconds from the start
    audience: str | None = None  # the API that it is for, such as https://graph.microsoft.com; default: all


class ClockSpec(_Strict):
    frozen: bool = False
    now: float | None = None  # seconds since 1970; default: the present


class Scenario(_Strict):
    """The whole file."""

    defaults: dict[str, Any] = Field(default_factory=dict)  # behaviour of every offer
    publishers: list[PublisherSpec] = Field(default_factory=list)
    offers: list[OfferSpec] = Field(default_factory=list)
    tokens: list[TokenSpec] | None = None  # given: these and no others are accepted
    clock: ClockSpec = Field(default_factory=ClockSpec)
    faults: list[Fault] = Field(default_factory=list)
    seed: int = 0  # of the faults that name none

    def default_behaviour(self) -> Behaviour:
        return _validated("defaults", Behaviour(), self.defaults)

    def behaviour_of(self, spec: OfferSpec) -> Behaviour:
        return _validated(f"offer {spec.offer}", self.default_behaviour(), spec.behaviour)


def load(path: Path) -> Scenario:
    """Read a scenario. Raises ScenarioError in words for a user."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ScenarioError(f"The scenario {path} cannot be read: {e.strerror}.") from e
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise ScenarioError(f"The scenario {path} is not valid YAML: {' '.join(str(e).split())}.") from e
    if data is None:
        data = {}
    return parse(data, f"The scenario {path}")


def parse(data: object, what: str = "The scenario") -> Scenario:
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as e:
        raise ScenarioError(f"{what} is not valid: {explain(e)}.") from e
    for spec in scenario.offers:
        scenario.behaviour_of(spec)
    scenario.default_behaviour()
    return scenario


def parse_offer(text: str) -> OfferSpec:
    """`publisher/offer[:key=value,...]` of the command line; keys of the behaviour, or of the offer."""
    name, _, options = text.partition(":")
    data: dict[str, Any] = {"offer": name, "behaviour": {}}
    for option in filter(None, options.split(",")):
        key, equals, value = option.partition("=")
        if not equals:
            raise ScenarioError(f"--offer {text}: '{option}' is not of the form key=value.")
        key = key.strip()
        parsed = _scalar(value)
        if key in ("preview", "production", "offer_type", "api", "product_id"):
            data[key] = parsed
        elif "." in key:
            group, _, member = key.partition(".")
            data["behaviour"].setdefault(group, {})[member] = parsed
        else:
            data["behaviour"][key] = parsed
    try:
        return OfferSpec.model_validate(data)
    except ValidationError as e:
        raise ScenarioError(f"--offer {text}: {explain(e)}.") from e


def _scalar(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _validated(what: str, base: Behaviour, changes: dict[str, Any]) -> Behaviour:
    try:
        return base.changed(changes)
    except ValidationError as e:
        _fail(f"The behaviour of {what} is not valid: {explain(e)}.", e)


def _fail(message: str, cause: Exception) -> NoReturn:
    raise ScenarioError(message) from cause
