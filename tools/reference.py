"""docs/reference.md, from the code: `python -m tools.reference` writes it, `--check` says whether it is current.

Inputs are what `OfferGoLive` takes, with the words of its docstring; outputs are its other properties; the settings are
those that `settings.py` reads, with its defaults. What a setting is stands here, and one without words is an error.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from providers.azure_marketplace import offer_go_live
from providers.azure_marketplace.inputs import INPUT_NAMES
from providers.azure_marketplace.launch import OUTPUT_NAMES
from providers.azure_marketplace.offer_go_live import OfferGoLive
from providers.azure_marketplace.settings import DEFAULT_ENDPOINTS, KEYS, NAMESPACE, Settings, environment_name

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"

SETTINGS = {
    "api": "the publishing API of offers that name none",
    "endpoint": "the Cloud Partner Portal; plain http for loopback only",
    "productIngestionEndpoint": "the product ingestion API, on Microsoft Graph",
    "partnerCenterEndpoint": "the Partner Center submission API",
    "minPollInterval": "seconds between two looks at a go-live that has just begun; later a tenth of the time waited",
    "maxPollInterval": "seconds between two looks at one that has run for hours",
    "requestTimeout": "seconds until one unanswered request is given up",
    "preflight": "what a preview does about an offer that cannot go live: `fail` (or `true`), `warn`, or `off` (or "
    "`false`), which asks nothing",
    "resubmitFailed": "whether `up` submits again what failed or was cancelled; `false` for runs on a schedule, which "
    "then fail and say why, until a person runs `up` or the inputs change",
    "extraHeaders": 'JSON, such as `{"x-ms-publisherId": "123"}`; sent with every request',
}
_FIELDS = {"endpoint": "cloudPartnerPortal", "productIngestionEndpoint": "productIngestion"}
_FIELDS["partnerCenterEndpoint"] = "partnerCenter"

INTRODUCTION = """\
# Reference

<!-- Written by tools/reference.py from the code. Change it there: `python -m tools.reference`. -->

```python
from providers.azure_marketplace import OfferGoLive
```
"""


def page() -> str:
    return "\n".join([INTRODUCTION, *_resource(), *_settings(), ""])


def _resource() -> Iterator[str]:
    summary = inspect.getdoc(OfferGoLive) or ""
    yield f"## OfferGoLive\n\n{summary}\n"
    yield "The resource's id is `<publisherId>/<offerId>`, its type"
    yield "`pulumi-python:dynamic/azuremarketplace:OfferGoLive`.\n"
    yield "### Inputs\n\n| input | type | default | |\n|---|---|---|---|"
    words = dict(re.findall(r"^(\w+): (.*(?:\n(?!\w+:).*)*)", inspect.getdoc(OfferGoLive.__init__) or "", re.M))
    parameters = inspect.signature(OfferGoLive.__init__).parameters
    for name in INPUT_NAMES:
        parameter = parameters[name]
        required = parameter.default is inspect.Parameter.empty
        yield _row(
            f"`{name}`", _type(parameter.annotation), "required" if required else repr(parameter.default), words[name]
        )
    yield f"\n`opts`: {words['opts']}\n"
    yield "### Outputs\n\nThe inputs, and:\n\n| output | type | |\n|---|---|---|"
    described = _attributes()
    for name in OUTPUT_NAMES:
        annotation, text = described[name]
        yield _row(f"`{name}`", _type(annotation), text)
    yield "\n`report`: all of these that [the report](how-to.md#show-a-stacks-offers-as-a-table-and-check-it) shows;"
    yield 'to be exported, `pulumi.export("vm", vm.report)`.\n'


def _attributes() -> dict[str, tuple[str, str]]:
    """The annotated properties of the class, each with the text below it."""
    tree = ast.parse(inspect.getsource(offer_go_live))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    found = {}
    for node, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = below.value if isinstance(below, ast.Expr) else None
            text = said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else ""
            found[node.target.id] = (ast.unparse(node.annotation), text)
    return found


def _settings() -> Iterator[str]:
    yield f"## Configuration\n\nKeys of the namespace `{NAMESPACE}`, in the stack's configuration or the environment."
    yield "Configuration wins. Keys for signing in are on [their own page](signing-in.md#which-way-is-taken).\n"
    yield "| key | environment variable | default | |\n|---|---|---|---|"
    if set(SETTINGS) != set(KEYS):
        raise LookupError(f"described and read differ: {sorted(set(SETTINGS) ^ set(KEYS))}")
    for key in KEYS:
        yield _row(f"`{key}`", f"`{environment_name(key)}`", f"`{_default(key)}`", SETTINGS[key])


def _default(key: str) -> str:
    if key in _FIELDS:
        return DEFAULT_ENDPOINTS[_FIELDS[key]]
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()
    if name not in {field.name for field in fields(Settings)}:
        raise LookupError(f"{key} is no field of the settings")
    value = getattr(Settings(), name)
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if value in (True, False) else str(value)


def _type(annotation: str) -> str:
    """`pulumi.Input[str | int | None]` -> `str | int | None`, safe within a table."""
    inner = re.sub(r"^pulumi\.(?:Input|Output)\[(.*)\]$", r"\1", str(annotation))
    return f"`{inner}`".replace("|", "\\|")


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--check"]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not current:
            print("docs/reference.md is not what the code says: run `python -m tools.reference`.", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
