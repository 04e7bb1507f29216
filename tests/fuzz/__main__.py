"""`make fuzz`: the properties of this folder, driven by atheris (libFuzzer with coverage), for so many seconds each.

    python -m tests.fuzz [seconds] [part of a name ...]

Each runs in a process of its own, on top of the inputs that were worth keeping before (.local/fuzz/corpus). What
breaks a property is kept beside them, and the exit code is 1.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CORPUS = CHECKOUT / ".local" / "fuzz" / "corpus"
MODULES = ("tests.fuzz.test_bad_input", "tests.fuzz.test_simulator")


def properties() -> dict[str, Callable[[bytes], object]]:
    """The Hypothesis tests, each as a function of bytes."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        for name, value in vars(module).items():
            if name.startswith("test_") and hasattr(value, "hypothesis"):
                found[name] = value.hypothesis.fuzz_one_input
    return found


def drive(name: str, arguments: list[str]) -> None:
    """One property, in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["providers", "simulator"]):
        one = properties()[name]
    atheris.Setup([name, *arguments], one)
    atheris.Fuzz()


def main(seconds: int, wanted: list[str]) -> int:
    failed = []
    for name in properties():
        if wanted and not any(part in name for part in wanted):
            continue
        corpus = CORPUS / name
        corpus.mkdir(parents=True, exist_ok=True)
        arguments = [f"-max_total_time={seconds}", "-max_len=8192", "-len_control=0"]
        arguments += ["-timeout=20", "-rss_limit_mb=1500"]
        command = [sys.executable, "-m", "tests.fuzz", "--drive", name, *arguments]
        command += ["-print_final_stats=1", f"-artifact_prefix={CORPUS.parent}/{name}-", str(corpus)]
        log = CORPUS.parent / f"{name}.log"
        with log.open("wb") as sink:
            code = subprocess.run(command, cwd=CHECKOUT, stdout=sink, stderr=sink, check=False).returncode
        said = log.read_text(errors="replace")
        runs = re.search(r"number_of_executed_units:\s*(\d+)", said)
        cover = re.findall(r"cov: (\d+)", said)
        peak = re.search(r"peak_rss_mb:\s*(\d+)", said)
        told = f"{runs[1] if runs else '?':>9} inputs, {cover[-1] if cover else '?':>5} points covered"
        print(
            f"{name:60} {told}, {peak[1] if peak else '?'} MiB{'' if code == 0 else f'  BROKEN: see {log}'}", flush=True
        )
        if code != 0:
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        drive(sys.argv[2], sys.argv[3:])
    else:
        raise SystemExit(main(int((sys.argv[1:2] or ["60"])[0]), sys.argv[2:]))
