"""docs/troubleshooting.md quotes what the code says, word for word."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import CHECKOUT

PAGE = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OURS, _, PULUMIS = PAGE.partition("## Of Pulumi's own")
OF_PULUMI = {
    "the stack is currently locked",
    "failed to load checkpoint: EOF",
    "ModuleNotFoundError: No module named 'providers'",
    "only four offers wait at a time",  # nobody says it: it is what one sees
}


def said() -> str:
    """Every text of the provider's code, each with … for what is filled in."""
    texts = []
    for path in sorted((CHECKOUT / "providers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


SAID = said()
QUOTED = [title for title in re.findall(r"^### (.*)$", PAGE, re.M) if title not in OF_PULUMI]


@pytest.mark.parametrize("title", QUOTED)
def test_each_message_of_ours_is_said_by_the_code(title: str) -> None:
    for part in title.split("…"):
        assert part.strip(" ,") in SAID


def test_the_messages_of_pulumi_are_where_they_are_said_to_be() -> None:
    assert {title for title in re.findall(r"^### (.*)$", PULUMIS, re.M) if title not in QUOTED} == OF_PULUMI


def test_the_links_of_the_pages_lead_somewhere() -> None:
    def anchor(title: str) -> str:
        kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title.strip().lower()))
        return kept.replace(" ", "-")

    def anchors(text: str) -> set[str]:
        return {anchor(title) for title in re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)}

    broken = []
    pages = [CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("examples/**/*.md")]
    for page in (page for page in pages if ".venv" not in page.parts):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            path, _, fragment = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (fragment and fragment not in anchors(there.read_text(encoding="utf-8"))):
                broken.append(f"{page.name}: {target}")
    assert broken == []
