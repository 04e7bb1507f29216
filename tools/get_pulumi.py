"""Gets a Pulumi: the one on PATH, else Pulumi's own installer, else built from Pulumi's published Go modules.

The last two end in one folder of the checkout, `.local/pulumi/bin`, which appears whole or not at all. `PULUMI` in the
environment overrides the choice: a path (of the program or of its folder), `install` or `build`.

Fetches nothing when it has one; says what it does and how long that takes when it has not.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Project configuration knows lists of objects (our `offers`) since the summer of 2025.
MINIMUM = (3, 190, 0)
LANGUAGE_HOST = "pulumi-language-python"
DYNAMIC_HOST = "pulumi-resource-pulumi-python"
FILES = ("pulumi", LANGUAGE_HOST, LANGUAGE_HOST + "-exec", DYNAMIC_HOST)

CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
CLI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
LANGUAGE_HOST_PACKAGE = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
GO_MINIMUM = (1, 21)  # since then, Go fetches the toolchain that go.mod asks for by itself
BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-tags=osusergo,grpcnotrace")

INSTALL = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""
INSTALL_PATIENCE = 300.0  # seconds
TELL_EVERY = 30.0  # seconds


class NotAvailable(Exception):
    """There is no Pulumi to be had this way; the text says why in one sentence."""


@dataclass(frozen=True)
class Pulumi:
    """A Pulumi that can run Python programs with dynamic resources."""

    folder: Path  # holds `pulumi`; goes first on PATH
    version: str


@dataclass(frozen=True)
class Checkout:
    """Where things are kept."""

    root: Path

    @property
    def kept(self) -> Path:
        return self.root / ".local" / "pulumi"

    @property
    def bin(self) -> Path:
        return self.kept / "bin"

    @property
    def log(self) -> Path:
        return self.kept / "build.log"

    @property
    def modules(self) -> tuple[Path, Path]:
        return self.root / "tools" / "pulumi", self.root / "tools" / "language-host"

    def pinned_version(self) -> str:
        """The version that go.mod pins ("3.259.0"): one pin for building and for installing."""
        text = (self.modules[0] / "go.mod").read_text()
        found = re.search(rf"{re.escape(CLI_MODULE)} v(\d+\.\d+\.\d+)\s", text)
        if found is None:
            raise NotAvailable(f"tools/pulumi/go.mod does not pin {CLI_MODULE}.")
        return found[1]

    def build_mark(self) -> str:
        """Changes whenever a build would give something else."""
        digest = hashlib.sha256(" ".join(BUILD_FLAGS).encode())
        for module in self.modules:
            digest.update((module / "go.mod").read_bytes())
            digest.update((module / "go.sum").read_bytes())
        return f"built from {digest.hexdigest()}"

    def install_mark(self) -> str:
        return f"installed {self.pinned_version()}"


def say(text: str) -> None:
    print(text, flush=True)


def get(root: Path, python: Path, choice: str = "", search: str | None = None) -> Pulumi:
    """A usable Pulumi, got if need be. `python` has the Pulumi SDK; `search` is a PATH (default: this process's).

    Raises NotAvailable with one sentence for the person who asked.
    """
    checkout = Checkout(root)
    search = os.environ.get("PATH", os.defpath) if search is None else search
    if choice and choice not in ("build", "install"):
        return examine(_program(Path(choice)), search)
    if not choice and (found := on_path(search)) is not None:
        return found
    marks = {
        "build": [checkout.build_mark()],
        "install": [checkout.install_mark()],
        "": [checkout.build_mark(), checkout.install_mark()],
    }[choice]
    if is_complete(checkout.bin, marks):
        return Pulumi(checkout.bin, checkout.pinned_version())
    with alone(checkout.kept):
        if not is_complete(checkout.bin, marks):  # another `make` may just have done it
            _make(checkout, python, choice, search)
    return Pulumi(checkout.bin, checkout.pinned_version())


def _program(path: Path) -> Path:
    return (path / "pulumi" if path.is_dir() else path).absolute()


def on_path(search: str) -> Pulumi | None:
    """The Pulumi on PATH if it will do; says so if there is one that will not."""
    program = shutil.which("pulumi", path=search)
    if program is None:
        return None
    try:
        return examine(Path(program).absolute(), search)
    except NotAvailable as reason:
        say(f"Not using the pulumi on your PATH: {reason}")
        return None


def examine(program: Path, search: str) -> Pulumi:
    """The Pulumi whose command is `program`. Raises NotAvailable if it is not usable here."""
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        shown = subprocess.run(
            [str(program), "version"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise NotAvailable(f"`{program} version` does not work ({error}).") from error
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", shown)
    if numbers is None:
        raise NotAvailable(f"`{program} version` says {shown!r}, which is no version.")
    version = tuple(int(number) for number in numbers.groups())
    if version < MINIMUM or version[0] != MINIMUM[0]:
        wanted = ".".join(map(str, MINIMUM))
        raise NotAvailable(f"{program} is {shown}; version {wanted} or a newer 3.x is needed.")
    beside = os.pathsep.join([str(program.parent), str(program.resolve().parent), search])
    for host in (LANGUAGE_HOST, DYNAMIC_HOST):
        if shutil.which(host, path=beside) is None:
            raise NotAvailable(f"{program} has no {host} beside it.")
    return Pulumi(program.parent, shown.lstrip("v"))


def is_complete(folder: Path, marks: Sequence[str]) -> bool:
    """Whether the folder was made whole, from what one of `marks` names."""
    try:
        mark = (folder / ".made").read_text()
    except OSError:
        return False
    return mark in marks and all(os.access(folder / name, os.X_OK) for name in FILES)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one process at a time gets a Pulumi for this checkout; what a killed one left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another `make` is getting Pulumi for this checkout; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob("making-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _make(checkout: Checkout, python: Path, choice: str, search: str) -> None:
    staging = Path(tempfile.mkdtemp(prefix="making-", dir=checkout.kept))
    try:
        mark = _fill(checkout, staging, python, choice, search)
        made = staging / "bin"
        missing = [name for name in FILES if not os.access(made / name, os.X_OK)]
        if missing:
            raise NotAvailable(f"Pulumi was made without {', '.join(missing)}.")
        examine(made / "pulumi", search="")
        (made / ".made").write_text(mark)
        if checkout.bin.exists():
            checkout.bin.rename(staging / "before")
        made.rename(checkout.bin)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fill(checkout: Checkout, staging: Path, python: Path, choice: str, search: str) -> str:
    """Puts a Pulumi into `staging`/bin; returns its mark."""
    version = checkout.pinned_version()
    if choice != "build":
        say(f"Getting Pulumi {version} with Pulumi's installer (about half a minute) ...")
        try:
            install(staging, version, python)
        except NotAvailable as reason:
            if choice == "install":
                raise
            shutil.rmtree(staging / "bin", ignore_errors=True)
            say(f"  {reason}")
            _need_go(search, instead=str(reason).rstrip("."))
        else:
            return checkout.install_mark()
    else:
        _need_go(search, instead="PULUMI=build was asked for")
    say(f"Building Pulumi {version} with Go: 4 to 8 minutes and 4 GB of Go's caches the first time ...")
    build(checkout, staging, search)
    return checkout.build_mark()


def install(into: Path, version: str, python: Path) -> None:
    """Runs Pulumi's official installer through its SDK; leaves `into`/bin. Raises NotAvailable."""
    # Pulumi's command line makes a home where it is told to: not in the user's.
    environment = {**os.environ, "PULUMI_HOME": str(into / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [str(python), "-c", INSTALL, str(into), version],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NotAvailable(f"Pulumi's installer did not work: {error}.") from error
    if done.returncode != 0:
        raise NotAvailable(f"Pulumi's installer did not work: {_last_words(done.stderr)}")


def _need_go(search: str, instead: str) -> str:
    """The `go` to build with. Raises NotAvailable if there is none, or an old one."""
    go = shutil.which("go", path=search)
    if go is None:
        raise NotAvailable(
            f"No Pulumi to be had: none on PATH, {instead}, and there is no Go to build it with. "
            "Install Pulumi or Go 1.21 or newer, and run this again."
        )
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    shown = subprocess.run([go, "version"], env=environment, capture_output=True, text=True, check=False).stdout
    numbers = re.search(r"go(\d+)\.(\d+)", shown)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < GO_MINIMUM:
        raise NotAvailable(f"{go} is too old to build Pulumi ({shown.strip()!r}): Go 1.21 or newer is needed.")
    return go


def build(checkout: Checkout, into: Path, search: str) -> None:
    """Builds Pulumi and its Python host from the pinned Go modules into `into`/bin. Raises NotAvailable."""
    go = _need_go(search, instead="a build was asked for")
    cli, language_host = checkout.modules
    version = f"-X {SDK_MODULE}/go/common/version.Version=v{checkout.pinned_version()}"
    target = into / "bin"
    target.mkdir()
    checkout.log.write_text("")
    for module, name, package, flags in (
        (language_host, LANGUAGE_HOST, LANGUAGE_HOST_PACKAGE, "-s -w"),
        (cli, "pulumi", CLI_PACKAGE, f"-s -w {version}"),
    ):
        command = [go, "build", *BUILD_FLAGS, f"-ldflags={flags}", "-o", str(target / name), package]
        _run_telling(command, module, checkout.log, f"building {name}")
    sdk = Path(_go_output([go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE], cli))
    for script in (
        sdk / "python" / "cmd" / f"{LANGUAGE_HOST}-exec",
        sdk / "python" / "dist" / DYNAMIC_HOST,
    ):
        shutil.copyfile(script, target / script.name)  # not its mode: Go's cache is read-only
        (target / script.name).chmod(0o755)


def go_environment() -> dict[str, str]:
    """Builds the same whatever the user's own Go settings, but for where modules come from."""
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}


def _go_output(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=go_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotAvailable(f"`go list` did not work: {_last_words(done.stderr)}")
    return done.stdout.strip()


def _run_telling(command: list[str], folder: Path, log: Path, what: str) -> None:
    """Runs the command into the log, with a word now and then. Raises NotAvailable with its last words."""
    began = time.monotonic()
    with log.open("a") as sink:
        process = subprocess.Popen(
            command, cwd=folder, env=go_environment(), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=TELL_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    say(f"  {what}: {time.monotonic() - began:.0f} s so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise NotAvailable(f"{what} did not work: {_last_words(log.read_text())} (all of it: {log})")


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    try:
        found = get(root, Path(sys.executable), os.environ.get("PULUMI", ""))
    except NotAvailable as reason:
        print(reason, file=sys.stderr)
        return 1
    say(f"Pulumi {found.version} in {found.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
