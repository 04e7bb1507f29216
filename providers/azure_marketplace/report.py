"""`python -m providers.azure_marketplace.report`: the offers of a stack as a table: text, Markdown or JSON.

    pulumi stack output --json | python -m providers.azure_marketplace.report
    pulumi stack export | python -m providers.azure_marketplace.report --format markdown >> "$GITHUB_STEP_SUMMARY"

It reads what Pulumi printed, and nothing else: no network, no state, no secret. The first form shows what the program
exports (`pulumi.export("vm", vm.report)`), the second every `OfferGoLive` of the stack. What it reads comes from a
portal by way of a state, so it is escaped for where it goes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import Link

__all__ = ["NotAReport", "Row", "as_json", "as_markdown", "as_text", "main", "rows"]

_TYPE = "pulumi-python:dynamic/azuremarketplace:OfferGoLive"
_SIGNS = ("operation_id", "live_version", "preview_version", "submitted_at", "finished_at")
_DEEPEST = 30
_HEADINGS = ("name", "offer", "status", "live", "in preview", "submitted", "finished")
_LONGEST = 200  # characters of a cell


class NotAReport(Exception):
    """What was read is not what Pulumi prints; the text says what is wanted, in a sentence or two."""


@dataclass(frozen=True, slots=True)
class Row:
    """One offer. name: the resource's, or the output's path. Missing things are empty; dates are ISO 8601, UTC."""

    name: str
    offer: str
    status: str
    live_version: str = ""
    preview_version: str = ""
    submitted_at: str = ""
    finished_at: str = ""
    operation_id: str = ""
    live_links: tuple[Link, ...] = ()
    preview_links: tuple[Link, ...] = ()


def rows(printed: str) -> list[Row]:
    """The offers in what `pulumi stack output --json` or `pulumi stack export` printed. Raises `NotAReport`."""
    try:
        document = json.loads(printed)
    except (ValueError, RecursionError):
        what = "nothing" if not printed.strip() else "something that is not JSON"
        raise NotAReport(
            f"Expected what `pulumi stack output --json` or `pulumi stack export` prints, and got {what}."
        ) from None
    if not isinstance(document, dict):
        raise NotAReport("Expected an object of outputs by name, as `pulumi stack output --json` prints.")
    deployment = document.get("deployment")
    if isinstance(deployment, dict) and "version" in document:
        return list(_exported(deployment))
    return list(_outputs(document))


def _exported(deployment: Mapping[str, Any]) -> Iterator[Row]:
    resources = deployment.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        if not isinstance(resource, dict) or resource.get("type") != _TYPE or resource.get("delete") is True:
            continue
        outputs = resource.get("outputs")
        name = str(resource.get("urn", "")).rpartition("::")[2]
        row = _row(name, outputs if isinstance(outputs, dict) else {}, str(resource.get("id") or ""))
        yield row or Row(name, str(resource.get("id") or ""), "unknown")


def _outputs(value: Any, path: tuple[str, ...] = ()) -> Iterator[Row]:
    """Wherever they stand: an output may be a mapping of offers, or a list of them."""
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        row = _row(".".join(path), value) if any(sign in value for sign in _SIGNS) else None
        if row:
            yield row
            return
        for key, item in value.items():
            yield from _outputs(item, (*path, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _outputs(item, (*path, str(number)))


def _row(name: str, outputs: Mapping[str, Any], id_: str = "") -> Row | None:
    launch = Launch.from_outputs(outputs) if isinstance(outputs.get("status"), str) else None
    if launch is None:
        return None
    known = launch.to_outputs()
    publisher, offer = outputs.get("publisher_id"), outputs.get("offer_id")
    both = isinstance(publisher, str) and isinstance(offer, str)
    return Row(
        name=name,
        offer=id_ or (f"{publisher}/{offer}" if both else ""),
        status=launch.status.value,
        live_links=launch.live_links,
        preview_links=launch.preview_links,
        **{
            key: str(known[key] or "")
            for key in ("live_version", "preview_version", "submitted_at", "finished_at", "operation_id")
        },
    )


def as_text(found: Sequence[Row]) -> str:
    """Columns for a terminal, without anything that would steer it; the links below."""
    if not found:
        return "No offers.\n"
    table = [_HEADINGS, *(tuple(_plain(cell) or "-" for cell in _cells(row)) for row in found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    for row in found:
        lines += [
            f"{_plain(row.name)}, {slot}: {_plain(link.text)} {_plain(link.uri, longest=2000)}"
            for slot, link in _links(row)
        ]
    return "\n".join(lines) + "\n"


def as_markdown(found: Sequence[Row]) -> str:
    """A table for a job summary or a comment; whatever an offer says about itself stays text."""
    if not found:
        return "No offers.\n"
    lines = [_line((*_HEADINGS, "links")), _line(("---",) * (len(_HEADINGS) + 1))]
    for row in found:
        links = [f"[{_escaped(link.text) or slot}]({_address(link.uri)})" for slot, link in _links(row)]
        lines.append(_line((*map(_escaped, _cells(row)), "<br>".join(links))))
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Row]) -> str:
    """A list of objects, with the names of the outputs; what is not known is an empty text."""
    return json.dumps([asdict(row) for row in found], indent=2) + "\n"


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _cells(row: Row) -> tuple[str, ...]:
    versions = (row.live_version, row.preview_version)
    return (row.name, row.offer, row.status, *versions, row.submitted_at, row.finished_at)


def _links(row: Row) -> Iterator[tuple[str, Link]]:
    for slot, links in (("live", row.live_links), ("preview", row.preview_links)):
        for link in links:
            if _is_web(link.uri):
                yield slot, link


def _is_web(uri: str) -> bool:
    try:
        address = urlsplit(uri)
    except ValueError:
        return False
    return address.scheme in ("https", "http") and bool(address.netloc)


def _plain(text: str, *, longest: int = _LONGEST) -> str:
    """On one line, without control, bidirectional or other characters that do not show as themselves."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _escaped(text: str) -> str:
    """As text in a cell of a Markdown table, where HTML would be HTML and `@name` would call somebody."""
    html = _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    escaped = re.sub(r"([\\`*_{}\[\]()#!|~])", r"\\\1", html.replace("&#64;", "\0")).replace("\0", "&#64;")
    return re.sub(r"(?i)\b(https?|www)(?=[:.])", lambda match: f"{match[0]}\u200b", escaped)


def _address(uri: str) -> str:
    return quote(uri, safe="/:?#@!$&'*+,;=%-._~")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(path: str) -> str:
    """Raises `NotAReport`. PowerShell's `>` writes UTF-16."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                content = file.read()
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return content.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise NotAReport(f"{path} could not be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise NotAReport("Expected text in UTF-8, as Pulumi prints it.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 where what was read is none of Pulumi's; with `--check`, 1 while an offer is not live as asked."""
    parser = argparse.ArgumentParser(
        prog="python -m providers.azure_marketplace.report",
        description="The offers of a stack, from what `pulumi stack output --json` or `pulumi stack export` printed.",
    )
    parser.add_argument("file", nargs="?", default="-", help="what Pulumi printed (default: standard input)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every offer's go-live has succeeded")
    given = parser.parse_args(arguments)
    try:
        found = rows(_read(given.file))
    except NotAReport as reason:
        print(reason, file=sys.stderr)  # noqa: T201
        return 2
    try:
        sys.stdout.buffer.write(FORMATS[given.format](found).encode("utf-8", errors="replace"))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not found:
        print("No offers: none is exported, or none is in this stack.", file=sys.stderr)  # noqa: T201
    return 1 if given.check and any(row.status != "succeeded" for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
