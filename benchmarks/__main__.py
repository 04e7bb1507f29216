"""Runs the benchmarks named, or all: `python -m benchmarks many_waits`; `make bench ARGS=many_waits`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.report import TINY, WHOLE, CannotMeasure, Report, into

NAMES = ("many_waits", "schedules", "unchanged", "polls", "previews", "apis")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all when none is given")
    parser.add_argument("--tiny", action="store_true", help="a few offers and repeats: only whether it works")
    parser.add_argument("--into", type=Path, help="write the results into this page, in place of the old ones")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}")
    # Ended from outside, too, it takes the simulators and engines along that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    scale = TINY if given.tiny else WHOLE
    texts = [machine()]
    print(texts[0], flush=True)
    reports: list[Report] = []
    try:
        for name in given.names or NAMES:
            reports.append(importlib.import_module(f"benchmarks.{name}").run(scale))
            texts.append(str(reports[-1]))
            print(f"\n{texts[-1]}", flush=True)
    except CannotMeasure as why:
        print(why, file=sys.stderr)
        return 2
    if given.into:
        given.into.write_text(into(given.into.read_text(encoding="utf-8"), "\n\n".join(texts)), encoding="utf-8")
    return 1 if any(report.missed for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
