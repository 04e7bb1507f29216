"""An approval gate for offers: `pulumi preview --policy-pack examples/policy-pack`, and `up` likewise.

Every `up` of the stack is judged, those that only resume too: outside the window they wait for the next one.
"""

from datetime import datetime, timezone

import rules
from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)


def pinned(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if rules.is_offer(args.resource_type):
        for problem in rules.is_pinned(args.props):
            report(problem, None)


def in_window(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if rules.is_offer(args.resource_type):
        window = args.get_config()
        for problem in rules.is_within(
            datetime.now(timezone.utc),
            days=window["days"],
            from_hour=int(window["fromHour"]),
            to_hour=int(window["toHour"]),
            props=args.props,
        ):
            report(problem, None)


def from_production(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if rules.is_offer(args.resource_type):
        config = args.get_config()
        for problem in rules.is_of_stack(
            args.urn, publishers=config["publishers"], stack=config["stack"], props=args.props
        ):
            report(problem, None)


PolicyPack(
    "offers-go-live",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy("pinned", "Only pinned versions go live.", pinned),
        ResourceValidationPolicy(
            "change-window",
            "Offers go live in the change window only.",
            in_window,
            config_schema=PolicyConfigSchema(
                properties={
                    "days": {"type": "array", "items": {"type": "string"}, "default": list(rules.WEEKDAYS[:4])},
                    "fromHour": {"type": "integer", "default": 8},
                    "toHour": {"type": "integer", "default": 15},
                }
            ),
        ),
        ResourceValidationPolicy(
            "from-production",
            "Offers of the production publishers go live from the production stack only.",
            from_production,
            config_schema=PolicyConfigSchema(
                properties={
                    "publishers": {"type": "array", "items": {"type": "string"}, "default": ["contoso"]},
                    "stack": {"type": "string", "default": "production"},
                }
            ),
        ),
    ],
)
