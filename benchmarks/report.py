"""What a benchmark hands back, and how it is written: Markdown tables, and targets that were met or missed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

BEGIN, END = "<!-- results: make bench -->", "<!-- end of the results -->"


class CannotMeasure(Exception):
    """Something is missing, or went wrong that is not what is measured."""


@dataclass(frozen=True)
class Scale:
    """How much is measured. judged: whether the size is large enough for targets to mean something."""

    offers: int = 100
    seconds: float = 6.0  # one operation
    repeats: int = 5
    polls: int = 1000
    judged: bool = True


WHOLE = Scale()
TINY = Scale(offers=3, seconds=1.0, repeats=1, polls=20, judged=False)
"""To see that a benchmark works at all."""


@dataclass(frozen=True)
class Target:
    """met: None where the size was too small to tell."""

    wanted: str
    seen: str
    met: bool | None


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass
class Report:
    """One benchmark's answer to the question in its title."""

    title: str
    scale: Scale
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.tables.append(Table(columns, rows))

    def target(self, wanted: str, seen: str, met: bool) -> None:
        self.targets.append(Target(wanted, seen, met if self.scale.judged else None))

    @property
    def missed(self) -> list[Target]:
        return [target for target in self.targets if target.met is False]

    def __str__(self) -> str:
        words = {True: "met", False: "**missed**", None: "not judged"}
        rows = [[target.wanted, target.seen, words[target.met]] for target in self.targets]
        parts = [f"### {self.title}", *map(str, self.tables), *self.notes]
        if rows:
            parts.append(str(Table(["target", "seen", ""], rows)))
        return "\n\n".join(parts)


def into(page: str, results: str) -> str:
    """The page with the results in their place."""
    whole = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not whole.search(page):
        raise ValueError(f"the page has no place for results: {BEGIN} ... {END}")
    return whole.sub(lambda _: f"{BEGIN}\n\n{results}\n\n{END}", page)


def number(value: float, unit: str = "") -> str:
    """Three significant digits at most: `153 s`, `9.8 s`, `0.052 s`."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {unit}".strip()


def mebibytes(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
