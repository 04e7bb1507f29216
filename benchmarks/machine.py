"""The machine that the figures are of, in words that name no host and no path."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version

from benchmarks.stage import pulumi_folder


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = subprocess.run(
        [str(pulumi_folder() / "pulumi"), "version"], capture_output=True, text=True, check=False
    ).stdout
    load = os.getloadavg()[0]
    return (
        f"{cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"{platform.python_implementation()} {platform.python_version()}, Pulumi {told.strip().lstrip('v')} with SDK "
        f"{version('pulumi')}, requests {version('requests')}, azure-core {version('azure-core')}. "
        f"Others ran beside it: the load was {load:.1f} when it began."
    )
