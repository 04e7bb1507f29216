"""`python -m providers.azure_marketplace.report`: the offers of a stack as a table: text, Markdown or JSON.

    pulumi stack export | python -m providers.azure_marketplace.report --format markdown >> "$GITHUB_STEP_SUMMARY"
    pulumi stack output --json | python -m providers.azure_marketplace.report

It reads what Pulumi printed, and nothing else: no network, no state, no secret. The first form shows every
`OfferGoLive` of the stack as it is recorded. The second shows what the program exports (`pulumi.export("vm",
vm.report)`) as it was when an `up` last ran to its end: a refresh, or an `up` that failed, does not change it. What is
read comes from a portal by way of a state, so it is escaped for where it goes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from providers.azure_marketplace.launch import Launch, iso
from providers.azure_marketplace.publishing import Link, Status
from providers.azure_marketplace.sight import stands

__all__ = ["NotAReport", "Row", "as_json", "as_markdown", "as_text", "main", "rows"]

_TYPE = "pulumi-python:dynamic/azuremarketplace:OfferGoLive"
_SIGNS = ("operation_id", "live_version", "preview_version", "submitted_at", "finished_at")
_DEEPEST = 30
_HEADINGS = ("name", "offer", "status", "live", "in preview", "submitted", "finished")
_LONGEST = 200  # characters of a cell
_NOT_LIVE, _NOT_READ, _NOT_WRITTEN = 1, 2, 3
_CODES = """\
exit codes:
  0  the table was written; with --check, every offer is live as asked
  1  with --check: an offer is not live as asked, or there is no offer at all
  2  what was read is none of Pulumi's, or the command was misspelt
  3  the table could not be written
"""


class NotAReport(Exception):
    """What was read is not what Pulumi prints; the text says what is wanted, in a sentence or two."""


@dataclass(frozen=True, slots=True)
class Row:
    """One offer. name: the resource's, or the output's path. Missing things are empty; dates are ISO 8601, UTC.

    status: the go-live's, or "unknown" where an `up` died that was at work on it.
    remark: what is amiss with that status, in a few words: "not found since 2026-11-23T12:00:05Z", "not as asked".
    as_asked: whether it has succeeded, and nothing else is live since, as far as that is recorded.
    """

    name: str
    offer: str
    status: str
    as_asked: bool = False
    live_version: str = ""
    preview_version: str = ""
    submitted_at: str = ""
    finished_at: str = ""
    operation_id: str = ""
    live_links: tuple[Link, ...] = ()
    preview_links: tuple[Link, ...] = ()
    remark: str = ""


def rows(printed: str) -> list[Row]:
    """The offers in what `pulumi stack export` or `pulumi stack output --json` printed. Raises `NotAReport`."""
    return _rows(_document(printed))


def _document(printed: str) -> dict[str, Any]:
    try:
        document = json.loads(printed)
    except (ValueError, RecursionError):
        what = "nothing" if not printed.strip() else "something that is not JSON"
        raise NotAReport(
            f"Expected what `pulumi stack export` or `pulumi stack output --json` prints, and got {what}."
        ) from None
    if not isinstance(document, dict):
        raise NotAReport("Expected an object of outputs by name, as `pulumi stack output --json` prints.")
    return document


def _rows(document: Mapping[str, Any]) -> list[Row]:
    return list(_exported(document["deployment"]) if _is_export(document) else _outputs(document))


def _is_export(document: Mapping[str, Any]) -> bool:
    return isinstance(document.get("deployment"), dict) and "version" in document


def _exported(deployment: Mapping[str, Any]) -> Iterator[Row]:
    pending = {str(each.get("urn", "")): each for each in _offers(_resources_of(deployment.get("pending_operations")))}
    for resource in _offers(deployment.get("resources")):
        if resource.get("delete") is True:
            continue
        urn = str(resource.get("urn", ""))
        row = _recorded(resource)
        # A run that died knew more than it could record.
        yield _cut_off(row) if pending.pop(urn, None) else row
    for resource in pending.values():
        yield _cut_off(_recorded(resource))


def _cut_off(row: Row) -> Row:
    return replace(row, status="unknown", as_asked=False, remark="")


def _resources_of(operations: Any) -> list[Any]:
    return (
        [each.get("resource") for each in operations if isinstance(each, dict)] if isinstance(operations, list) else []
    )


def _offers(resources: Any) -> list[dict[str, Any]]:
    listed = resources if isinstance(resources, list) else ()
    return [each for each in listed if isinstance(each, dict) and each.get("type") == _TYPE]


def _recorded(resource: Mapping[str, Any]) -> Row:
    """A resource as a state has it; one of a create that was begun has its inputs alone."""
    given, outputs = (part if isinstance(part, dict) else {} for part in map(resource.get, ("inputs", "outputs")))
    id_ = str(resource.get("id") or "") or _offer(given)
    name = str(resource.get("urn", "")).rpartition("::")[2]
    return _row(name, outputs, id_) or Row(name, id_, "unknown")


def _offer(properties: Mapping[str, Any]) -> str:
    both = (properties.get("publisher_id"), properties.get("offer_id"))
    return "/".join(map(str, both)) if all(isinstance(each, str) for each in both) else ""


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
    pin = outputs.get("offer_version")
    as_asked = stands(launch, pin if isinstance(pin, str) else None)
    return Row(
        name=name,
        offer=id_ or _offer(outputs),
        status=launch.status.value,
        as_asked=as_asked,
        remark=_remark(launch, as_asked=as_asked),
        live_links=launch.live_links,
        preview_links=launch.preview_links,
        **{
            key: str(known[key] or "")
            for key in ("live_version", "preview_version", "submitted_at", "finished_at", "operation_id")
        },
    )


def _remark(launch: Launch, *, as_asked: bool) -> str:
    if launch.unanswered_at:
        return "another was sent and not answered" if launch.is_of_before else "sent and not answered"
    if launch.missing_since:
        return f"not found since {iso(launch.missing_since)}"
    if launch.superseded:
        return "for other inputs"
    # Drift, or a go-live that was begun for something else.
    return "not as asked" if launch.status is Status.SUCCEEDED and not as_asked else ""


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
    status = f"{row.status}, {row.remark}" if row.remark else row.status
    return (row.name, row.offer, status, *versions, row.submitted_at, row.finished_at)


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
            if sys.stdin is None:
                raise NotAReport("There is no standard input to read: pipe what Pulumi prints, or name a file.")
            content = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                content = file.read()
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return content.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise NotAReport(f"{path} could not be read: {error.strerror}.") from None
    except (UnicodeDecodeError, ValueError):
        raise NotAReport("Expected text in UTF-8, as Pulumi prints it.") from None


def _write(table: str) -> str:
    """To standard output, wherever that leads; what went wrong, or nothing."""
    if sys.stdout is None:
        return "there is no standard output"
    try:
        sys.stdout.buffer.write(table.encode("utf-8", errors="replace"))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        _write_no_more()
    except OSError as error:
        _write_no_more()
        return str(error.strerror)
    return ""


def _write_no_more() -> None:
    """What is left in the buffer would be tried once more, and told with a traceback, when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _checked(found: Sequence[Row], *, recorded: bool) -> int:
    if found and not recorded:
        _say("Checked against what the last whole `up` exported; `pulumi stack export` prints what is recorded now.")
    amiss = [row for row in found if not row.as_asked]
    for row in amiss:
        _say(f"Not live as asked: {_plain(row.name)} ({_plain(row.offer)}), {_plain(_cells(row)[2])}.")
    return _NOT_LIVE if amiss or not found else 0


def _say(words: str) -> None:
    if sys.stderr is not None:
        print(words, file=sys.stderr)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, as `--help` explains them."""
    parser = argparse.ArgumentParser(
        prog="python -m providers.azure_marketplace.report",
        description="The offers of a stack, from what `pulumi stack export` (as it is recorded) or `pulumi stack "
        "output --json` (what its program exported when an `up` last ran to its end) printed.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", default="-", help="what Pulumi printed (default: standard input)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every offer is live as asked")
    given = parser.parse_args(arguments)
    try:
        document = _document(_read(given.file))
        found = _rows(document)
    except NotAReport as reason:
        _say(str(reason))
        return _NOT_READ
    problem = _write(FORMATS[given.format](found))
    if problem:
        _say(f"The table could not be written: {problem}.")
        return _NOT_WRITTEN
    if not found:
        unsaid = " So nothing was checked." if given.check else ""
        _say(f"No offers: none is exported, or none is in this stack.{unsaid}")
    return _checked(found, recorded=_is_export(document)) if given.check else 0


if __name__ == "__main__":
    sys.exit(main())
