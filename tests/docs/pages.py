"""The pages, cut into what a reader does: files to write, and commands to type, in their order.

What a test has to know stands in a comment above a block, which no reader sees:

    <!-- file: Pulumi.yaml -->          the block is a file of the project
    <!-- background -->                 the command stays (a server); the next ones run beside it
    <!-- fails -->                      the command ends with an error, as the page says
    <!-- not run: why -->               for what cannot be had in a test
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^(?:<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<kind>[a-z]*)\n(?P<body>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block. note: what the comment above it says; line: where it begins."""

    kind: str
    body: str
    note: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["body"], found["note"] or "", text.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(text)
    ]


def script(page: Path) -> str:
    """The page as one bash script; each failure names its line in the page."""
    lines = ["set -eu -o pipefail", "trap 'echo \"failed at line $at of the page\" >&2' ERR", "set -E"]
    for block in blocks(page):
        if block.note.startswith("not run: "):
            continue
        lines.append(f"at={block.line}")
        if block.note.startswith("file: "):
            name = block.note.removeprefix("file: ")
            lines += [f'mkdir -p "$(dirname {name})"', f"cat > {name} <<'END_OF_FILE'", f"{block.body}END_OF_FILE"]
        elif block.kind != "sh":
            continue
        elif block.note == "background":
            lines += [f"{{ {block.body.strip()}\n}} > /dev/null 2>&1 &", "wait_for_the_portal"]
        elif block.note == "fails":
            lines += [f"if ( {block.body.strip()}\n); then echo 'it did not fail' >&2; exit 1; fi"]
        else:
            lines.append(block.body.rstrip())
    return "\n".join(lines) + "\n"
