"""docs/images/up.svg: Pulumi's live display as it was, from a real `make up` in a terminal: `python -m tools.picture`.

It runs `make destroy` and `make up` on the local stack in a pseudo-terminal, keeps the picture of the screen at the
moment when most was going on, and draws that as it stood: characters, colours, nothing invented.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from html import escape
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "up.svg"
COLUMNS, LINES = 176, 40
PATIENCE = 300.0

COLOURS = {
    "default": "#d4d4d8",
    "black": "#3f3f46",
    "red": "#f87171",
    "green": "#4ade80",
    "brown": "#facc15",
    "yellow": "#facc15",
    "blue": "#60a5fa",
    "magenta": "#c084fc",
    "cyan": "#22d3ee",
    "white": "#f4f4f5",
}
BACKGROUND = "#18181b"
WIDTH, HEIGHT, MARGIN = 8.4, 19.0, 16.0

Cell = tuple[str, str, bool]  # the character, its colour, whether it is bold
Frame = list[list[Cell]]


def frame_of(screen: pyte.Screen) -> Frame:
    """The lines of the screen, without what is empty at their ends and below."""
    lines: Frame = []
    for number in range(screen.lines):
        row = screen.buffer[number]
        cells = [(row[column].data, row[column].fg, bool(row[column].bold)) for column in range(screen.columns)]
        while cells and cells[-1][0] == " ":
            cells.pop()
        lines.append(cells)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def text_of(frame: Frame) -> str:
    return "\n".join("".join(cell[0] for cell in line) for line in frame)


def is_telling(frame: Frame) -> int:
    """How much this frame tells of a wait: the rows of offers that are under way, with a step and a percentage."""
    text = text_of(frame)
    rows = [line for line in text.splitlines() if "OfferGoLive" in line]
    return sum("so far" in row and "%" in row for row in rows) if "Updating" in text else 0


def drawn(frame: Frame) -> str:
    """The frame as SVG: one text for each run of one colour, on the grid of the terminal."""
    width = max((len(line) for line in frame), default=1) * WIDTH + 2 * MARGIN
    height = len(frame) * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">',
        "<title>pulumi up: offers going live</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
    ]
    for number, line in enumerate(frame):
        y = MARGIN + (number + 0.75) * HEIGHT
        for start, run in _runs(line):
            text = "".join(cell[0] for cell in run)
            if not text.strip():
                continue
            colour = COLOURS.get(run[0][1].removeprefix("bright"), _hexadecimal(run[0][1]))
            bold = ' font-weight="bold"' if run[0][2] else ""
            parts.append(
                f'<text x="{MARGIN + start * WIDTH:.1f}" y="{y:.1f}" textLength="{len(text) * WIDTH:.1f}" '
                f'fill="{colour}"{bold} xml:space="preserve">{escape(text)}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def _hexadecimal(colour: str) -> str:
    digits = len(colour) == 6 and all(digit in "0123456789abcdef" for digit in colour.lower())
    return f"#{colour}" if digits else COLOURS["default"]


def _runs(line: Sequence[Cell]) -> list[tuple[int, list[Cell]]]:
    """Neighbours of one look, each with its column."""
    runs: list[tuple[int, list[Cell]]] = []
    for column, cell in enumerate(line):
        if runs and runs[-1][1][-1][1:] == cell[1:]:
            runs[-1][1].append(cell)
        else:
            runs.append((column, [cell]))
    return runs


def watched(command: Sequence[str]) -> Frame:
    """The most telling frame of a command in a terminal; of several that tell as much, the one in their middle."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    for name in ("CI", "NO_COLOR", "TF_BUILD", "BUILD_NUMBER"):
        environment.pop(name, None)
    process = subprocess.Popen(
        list(command), cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    best: list[Frame] = [[]]
    give_up = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < give_up:
            if not select.select([ours], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            stream.feed(data)
            frame = frame_of(screen)
            if is_telling(frame) > is_telling(best[0]):
                best = []
            if not best or is_telling(frame) == is_telling(best[0]) > 0:
                best.append(frame)
    finally:
        os.close(ours)
        process.wait(PATIENCE)
    return best[len(best) // 2]


def main() -> int:
    for command in (["make", "destroy"], ["make", "down"]):
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (ROOT / ".local" / "simulator" / "state.json").unlink(missing_ok=True)
    frame = watched(["make", "up"])
    subprocess.run(["make", "down"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    if not is_telling(frame):
        print("No frame showed offers under way: is there a Pulumi, and does `make up` work?", file=sys.stderr)
        return 1
    begin = next(number for number, line in enumerate(frame) if "Updating" in text_of([line]))
    frame = frame[begin:]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(drawn(frame), encoding="utf-8")
    print(text_of(frame))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
