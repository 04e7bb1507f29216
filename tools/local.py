"""The commands behind the Makefile: `python3 -m tools.local up`, and so on.

Everything it makes lies in ignored folders of the checkout: `.venv` and `.local`. A local run is cut off from the
outside: its own Pulumi home and state, the simulator as the portal, and none of the user's Azure or Pulumi settings.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import get_pulumi, processes
from tools.get_pulumi import NotAvailable, say
from tools.simulator_process import DidNotStart, Running, Simulator

PYTHON_MINIMUM = (3, 10)
OLDEST_ENDS_BEFORE = (3, 14)  # the first Python that the packages of requirements-oldest.txt have no builds for
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.10", "python3.14")
STACK = "local"
UV = "uv==0.13.9"  # compiles the requirements for `make lock`, nothing else
PIP_AUDIT = "pip-audit==2.10.1"  # for `make audit`, nothing else
MARK = "OFFERGOLIVE_CHECKOUT"  # in the environment of every process of a local run
PARALLEL = "256"  # offers wait, they do not compute
TOKEN = "local-simulator-token"
ENDPOINTS = {
    "ENDPOINT": "",
    "PRODUCT_INGESTION_ENDPOINT": "/rp/product-ingestion",
    "PARTNER_CENTER_ENDPOINT": "/v1.0/ingestion",
}
"""Where the simulator serves what each endpoint of the configuration stands for."""

# What bandit says of tools that start processes and of a simulator that draws lots; the provider does neither.
NOT_OF_TOOLS = ("B105", "B311", "B404", "B603", "B606", "B607")

# The user's own settings must not leak into a local run, nor a local run's into the real portal.
NOT_INHERITED = ("PULUMI_", "AZUREMARKETPLACE_", "ARM_", "AZURE_")
INHERITED_ALL_THE_SAME = ("PULUMI_PARALLEL", "PULUMI_DEBUG_GRPC", "PULUMI_OPTION_COLOR")


class CannotWork(Exception):
    """Something is missing; the text says what in one plain sentence."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the pinned requirements that it holds."""

    folder: Path
    requirements: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


@dataclass(frozen=True)
class Checkout:
    """Where things are in a checkout."""

    root: Path

    @property
    def environment(self) -> Environment:
        return Environment(self.root / ".venv", self.root / "requirements-dev.txt")

    @property
    def oldest(self) -> Environment:
        """The oldest supported version of everything that the provider depends on, for its tests."""
        return Environment(self.local / "oldest", self.root / "requirements-oldest.txt")

    @property
    def fuzzing(self) -> Environment:
        """What the tests have, and atheris."""
        return Environment(self.local / "fuzzing", self.root / "requirements-fuzz.txt")

    @property
    def venv(self) -> Path:
        return self.environment.folder

    @property
    def python(self) -> Path:
        return self.environment.python

    @property
    def local(self) -> Path:
        return self.root / ".local"

    @property
    def home(self) -> Path:
        return self.local / "pulumi" / "home"

    @property
    def state(self) -> Path:
        return self.local / "pulumi" / "state"

    @property
    def mark(self) -> str:
        return f"{MARK}={self.root}"

    def simulator(self) -> Simulator:
        scenario = self.root / "examples" / "local-scenario.yaml"
        return Simulator(self.root, self.local / "simulator", self.python, scenario if scenario.exists() else None)


def ensure_environment(checkout: Checkout, wanted: Environment | None = None) -> None:
    """A virtual environment with exactly its pinned requirements (.venv when none is named); done once."""
    environment = wanted or checkout.environment
    name = environment.folder.relative_to(checkout.root)
    mark = stamp(environment)
    if _read(environment.folder / ".stamp") == mark and environment.python.exists():
        return
    if not _has_pip(environment):
        _make_environment(environment, name)
    say(f"Installing the pinned Python packages into {name} (about a minute the first time) ...")
    log = checkout.local / "pip.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    # The requirements are whole: nothing is to be resolved. (Older pips resolve `coverage[toml]` beside the pinned
    # `coverage`, and take the newest, which has no hash here.)
    command += ["--progress-bar=off", "--require-hashes", "--no-deps", "-r", str(environment.requirements)]
    with log.open("w") as sink:
        code = subprocess.run(
            command,
            cwd=checkout.root,
            env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            check=False,
        ).returncode
    if code != 0:
        raise CannotWork(f"The Python packages could not be installed: {_error_line(log)} (all of it: {log})")
    (environment.folder / ".stamp").write_text(mark)


def stamp(environment: Environment) -> str:
    """Changes when the environment has to be made anew: other requirements, or the checkout was moved."""
    try:
        digest = hashlib.sha256(environment.requirements.read_bytes()).hexdigest()
    except OSError as error:
        raise CannotWork(f"{environment.requirements.name} is missing from the checkout.") from error
    return f"{digest} {environment.folder.resolve()}\n"


def _has_pip(environment: Environment) -> bool:
    """Whether it is one that still works, made in this place."""
    before = _read(environment.folder / ".stamp")
    if before and not before.endswith(f" {environment.folder.resolve()}\n"):
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 10))"
    try:
        done = subprocess.run([str(environment.python), "-c", check], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _make_environment(environment: Environment, name: Path) -> None:
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise CannotWork(
                f"This Python ({sys.executable}) has no {module} module: install it "
                "(Debian and Ubuntu: the package python3-venv) and run this again."
            )
    say(f"Making the virtual environment {name} ...")
    python = sys.executable
    if Path(sys.prefix) == environment.folder:
        python = os.path.realpath(python)  # out of the environment that is about to be replaced
    if environment.folder.is_symlink():
        environment.folder.unlink()
    command = [python, "-m", "venv", "--clear", str(environment.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join((done.stdout + done.stderr).split())
        raise CannotWork(f"The virtual environment could not be made: {said}")


def ensure_oldest(checkout: Checkout) -> Path | None:
    """The Python of an environment with the oldest supported packages; None where they cannot run."""
    if sys.version_info >= OLDEST_ENDS_BEFORE:
        say(f"The oldest supported packages know nothing of Python {sys.version.split()[0]}: not tested here.")
        return None
    ensure_environment(checkout, checkout.oldest)
    return checkout.oldest.python


def ensure_pulumi(checkout: Checkout) -> get_pulumi.Pulumi:
    return get_pulumi.get(checkout.root, checkout.python, os.environ.get("PULUMI", ""))


def setup(checkout: Checkout) -> get_pulumi.Pulumi:
    """All that the commands need, ready afterwards without a network."""
    ensure_environment(checkout)
    return ensure_pulumi(checkout)


def local_environment(
    checkout: Checkout, pulumi: Path, portal: Running | None, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a local run: `inherited` less what could lead outside, and our own."""
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(NOT_INHERITED) or name in INHERITED_ALL_THE_SAME
    }
    kept.pop("PYTHONHOME", None)
    bin_folders = [str(checkout.venv / "bin"), str(pulumi)]
    no_proxy = [kept.get("no_proxy") or kept.get("NO_PROXY") or "", "127.0.0.1", "localhost"]
    environment = {
        "PULUMI_PARALLEL": PARALLEL,
        **kept,
        "PATH": os.pathsep.join([*bin_folders, kept.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(checkout.venv),
        "NO_PROXY": ",".join(filter(None, no_proxy)),
        "PULUMI_HOME": str(checkout.home),
        "PULUMI_BACKEND_URL": backend(checkout.state),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        MARK: str(checkout.root),
    }
    environment["no_proxy"] = environment["NO_PROXY"]
    if portal is not None:
        environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = TOKEN
        for name, path in ENDPOINTS.items():
            environment[f"AZUREMARKETPLACE_{name}"] = portal.endpoint + path
    return environment


def backend(folder: Path) -> str:
    """The address of a state in files.

    Pulumi keeps a second file beside each, which it does not write whole or not at all: after a SIGKILL at the wrong
    moment that is empty, and the state cannot be loaded ("EOF"). It does without them, when it is told to.
    """
    return f"{folder.as_uri()}?metadata=skip"


def on_local_stack(checkout: Checkout, *command: str) -> int:
    """Runs a Pulumi command on the stack `local` against the simulator, in front of the user's eyes."""
    pulumi = setup(checkout)
    portal, started = checkout.simulator().ensure()
    if started:
        say(f"Started the simulator of the portal at {portal.endpoint} (process {portal.pid}).")
    environment = local_environment(checkout, pulumi.folder, portal, os.environ)
    program = str(pulumi.folder / "pulumi")
    _ensure_stack(checkout, program, environment)
    recover(checkout, program, environment)
    flags = ["--stack", STACK]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        flags.append("--non-interactive")
    code = run_to_its_end([program, *command, *flags], checkout.root, environment)
    end_left_over(checkout)
    if command[0] == "up":
        say(f"The simulator goes on at {portal.endpoint} (process {portal.pid}); `make down` ends it.")
    return code


def _ensure_stack(checkout: Checkout, program: str, environment: Mapping[str, str]) -> None:
    for folder in (checkout.home, checkout.state):
        folder.mkdir(parents=True, exist_ok=True)
    if any((checkout.state / ".pulumi" / "stacks").glob(f"*/{STACK}.json*")):
        return
    _quietly([program, "stack", "init", STACK, "--non-interactive"], checkout.root, environment)


def _quietly(command: list[str], folder: Path, environment: Mapping[str, str], given: str = "") -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotWork(f"`{' '.join(['pulumi', *command[1:]])}` failed: {done.stderr.strip()}")
    return done.stdout


def run_to_its_end(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Runs it in the foreground. ^C reaches it from the terminal itself; TERM and HUP are passed on as one."""
    terminal = _terminal_settings()
    process = subprocess.Popen(list(command), cwd=folder, env=environment)

    def interrupt(*_: object) -> None:
        process.send_signal(signal.SIGINT)

    handlers: dict[signal.Signals, Callable[..., None]] = {
        signal.SIGINT: lambda *_: None,
        signal.SIGTERM: interrupt,
        signal.SIGHUP: interrupt,
    }
    before = {sign: signal.signal(sign, handler) for sign, handler in handlers.items()}
    try:
        code = process.wait()
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
    if code < 0 and terminal is not None:
        # Pulumi draws on a raw terminal without a cursor, and was killed before it could set that right.
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, terminal)
        print("\x1b[?25h")
    return code if code >= 0 else 128 - code


def _terminal_settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.stdin)
    except (termios.error, ValueError, OSError):  # no terminal, or no standard input at all
        return None


def recover(checkout: Checkout, program: str, environment: Mapping[str, str]) -> None:
    """Makes the stack usable again after a run that died. Raises CannotWork while one is still at it."""
    locks = _locks(checkout)
    busy = [lock for lock in locks if lock.held()]
    if busy:
        raise CannotWork(f"Another run is working on the stack {STACK!r} ({busy[0]}): wait for it to end.")
    end_left_over(checkout)
    if locks:
        say(f"An earlier run was killed and left the stack {STACK!r} locked; unlocking it.")
        _quietly([program, "cancel", "--yes", "--stack", STACK, "--non-interactive"], checkout.root, environment)
        _forget_unfinished_creates(checkout, program, environment)


def _forget_unfinished_creates(checkout: Checkout, program: str, environment: Mapping[str, str]) -> None:
    """Else Pulumi warns of them for ever; creating anew is safe, since `OfferGoLive` adopts what was begun."""
    shown = _quietly([program, "stack", "export", "--stack", STACK], checkout.root, environment)
    exported = json.loads(shown)
    pending = exported["deployment"].pop("pending_operations", None)
    if pending:
        command = [program, "stack", "import", "--stack", STACK]
        _quietly(command, checkout.root, environment, given=json.dumps(exported))


@dataclass(frozen=True)
class Lock:
    """A stack's lock, as Pulumi's file backend writes it."""

    pid: int
    host: str

    def held(self) -> bool:
        """Whether its process lives, or may live, being on another machine."""
        return self.host != socket.gethostname() or "pulumi" in (processes.command_line(self.pid) or "")

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _locks(checkout: Checkout) -> list[Lock]:
    found = []
    for path in sorted((checkout.state / ".pulumi" / "locks").glob(f"**/{STACK}/*.json")):
        try:
            content = json.loads(path.read_text())
            found.append(Lock(int(content["pid"]), str(content["hostname"])))
        except FileNotFoundError:  # released just now
            continue
        except (ValueError, KeyError, TypeError):  # its process died while writing it
            found.append(Lock(0, socket.gethostname()))
    return found


def end_left_over(checkout: Checkout) -> None:
    """Ends the hosts and programs that a killed Pulumi left behind; leaves all alone while a Pulumi runs."""
    marked = [pid for pid in processes.with_environment(checkout.mark) if pid not in (os.getpid(), os.getppid())]
    commands = {pid: processes.command_line(pid) for pid in marked}
    if any("/pulumi " in (command or "") for command in commands.values()):
        return
    for pid, command in commands.items():
        if command is not None and "-m simulator " not in command:
            processes.end(pid)


def ready(checkout: Checkout) -> int:
    pulumi = setup(checkout)
    say(f"Ready, with Pulumi {pulumi.version} in {pulumi.folder}.")
    return 0


def up(checkout: Checkout) -> int:
    return on_local_stack(checkout, "up", "--yes", "--skip-preview", *_extra())


def preview(checkout: Checkout) -> int:
    return on_local_stack(checkout, "preview", *_extra())


def refresh(checkout: Checkout) -> int:
    return on_local_stack(checkout, "refresh", "--yes", "--skip-preview", *_extra())


def destroy(checkout: Checkout) -> int:
    return on_local_stack(checkout, "destroy", "--yes", "--skip-preview", *_extra())


def down(checkout: Checkout) -> int:
    end_left_over(checkout)
    ended = checkout.simulator().stop()
    if ended is None:
        say("The simulator of this checkout is not running.")
    else:
        say(f"Ended the simulator (process {ended.pid}). What it knows is kept for the next `make up`.")
    return 0


def test(checkout: Checkout) -> int:
    """Every test, unit to real engine, with branch coverage."""
    pulumi = setup(checkout)
    environment = _test_environment(checkout, pulumi)
    oldest = ensure_oldest(checkout)
    if oldest is not None:
        environment["OFFERGOLIVE_OLDEST_PYTHON"] = str(oldest)
    command = [str(checkout.python), "-m", "pytest", "--cov", "--cov-report=term:skip-covered", *_extra()]
    return _call(command, checkout, environment)


def lint(checkout: Checkout) -> int:
    """Every linter, even when one has found something."""
    ensure_environment(checkout)
    tools = checkout.venv / "bin"
    environment = {**os.environ, "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)])}
    commands = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
        ["bandit", "--quiet", "--recursive", "__main__.py", "providers"],
        ["bandit", "--quiet", "--recursive", "--skip", ",".join(NOT_OF_TOOLS), "simulator", "tools"],
    ]
    if (checkout.root / ".github" / "workflows").is_dir():
        commands.append(["zizmor", "--offline", "--quiet", "--no-progress", ".github"])
    failed = []
    for command in commands:
        say(f"== {' '.join(command)}")
        if _call([str(tools / command[0]), *command[1:]], checkout, environment) != 0:
            failed.append(" ".join(command))
    # Each example is a program of its own, whose modules are not those of the others.
    for folder in sorted({path.parent for path in (checkout.root / "examples").glob("*/*.py")}):
        name = f"mypy in {folder.relative_to(checkout.root)}"
        say(f"== {name}")
        config = [
            "--config-file",
            str(checkout.root / "pyproject.toml"),
            "--cache-dir",
            str(checkout.root / ".mypy_cache"),
        ]
        if (
            subprocess.run([str(tools / "mypy"), *config, "."], cwd=folder, env=environment, check=False).returncode
            != 0
        ):
            failed.append(name)
    if failed:
        print(f"Something to mend, says: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def bench(checkout: Checkout) -> int:
    pulumi = setup(checkout)
    command = [str(checkout.python), "-m", "benchmarks", *_extra()]
    return _call(command, checkout, _test_environment(checkout, pulumi))


def fuzz(checkout: Checkout) -> int:
    """The properties of bad input under atheris, a minute each; `make fuzz ARGS="600 portal"` takes ten for some."""
    ensure_environment(checkout, checkout.fuzzing)
    command = [str(checkout.fuzzing.python), "-m", "tests.fuzz", *_extra()]
    return _call(command, checkout, os.environ)


def audit(checkout: Checkout) -> int:
    """Whether a weakness is known of a pinned package. Needs the package index's own service, so it is no linter."""
    tool = checkout.local / "pip-audit"
    if not (tool / "bin" / "pip-audit").exists():
        say("Getting pip-audit, which asks for known weaknesses ...")
        subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
        subprocess.run([str(tool / "bin" / "pip"), "install", "--quiet", PIP_AUDIT], check=True)
    failed = 0
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-fuzz.txt"):
        command = [str(tool / "bin" / "pip-audit"), "--requirement", name, "--disable-pip", "--require-hashes"]
        # Strict: what an index knows nothing of would be passed over, and all be well.
        failed |= _call([*command, "--strict", *_extra()], checkout, os.environ)
    return failed


def clean(checkout: Checkout) -> int:
    down(checkout)
    for folder in (
        ".venv",
        ".local",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        "htmlcov",
    ):
        path = checkout.root / folder
        if path.is_symlink():
            path.unlink()
        shutil.rmtree(path, ignore_errors=True)
    say("Removed .venv, .local (with the state of the stack `local`) and the caches.")
    return 0


def lock(checkout: Checkout) -> int:
    """Compiles pyproject.toml into the requirements files, keeping what still fits.

    `make lock ARGS=--upgrade` takes the newest versions instead.
    """
    tool = checkout.local / "uv"
    if not (tool / "bin" / "uv").exists():
        say("Getting uv, which compiles the requirements ...")
        subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
        subprocess.run([str(tool / "bin" / "pip"), "install", "--quiet", UV], check=True)
    environment = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    environment.pop("UV_FIND_LINKS", None)  # the hashes are the index's, not some machine's
    for name, options in (
        ("requirements.txt", []),
        ("requirements-dev.txt", ["--extra", "dev"]),
        ("requirements-fuzz.txt", ["--extra", "dev", "--extra", "fuzz"]),
        ("requirements-oldest.txt", ["--resolution", "lowest-direct"]),
    ):
        command = [
            str(tool / "bin" / "uv"),
            "pip",
            "compile",
            "pyproject.toml",
            *options,
            "-o",
            name,
            "--quiet",
        ]
        command += ["--universal", "--python-version", "3.10", "--generate-hashes"]
        command += ["--no-emit-index-url", "--no-emit-find-links", *_extra()]
        if _call(command, checkout, environment) != 0:
            raise CannotWork(f"{name} could not be compiled (uv's words are above).")
    return 0


def _test_environment(checkout: Checkout, pulumi: get_pulumi.Pulumi) -> dict[str, str]:
    """As a local run's, but without a stack of its own: each test makes what it needs."""
    environment = local_environment(checkout, pulumi.folder, None, os.environ)
    for name in (MARK, "PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_PARALLEL"):
        environment.pop(name, None)
    environment["OFFERGOLIVE_PULUMI_BIN"] = str(pulumi.folder)
    return environment


def _extra() -> list[str]:
    """What the user adds: `make test ARGS="-k polling"`."""
    return os.environ.get("ARGS", "").split()


def _call(command: list[str], checkout: Checkout, environment: Mapping[str, str]) -> int:
    return subprocess.run(command, cwd=checkout.root, env=environment, check=False).returncode


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _error_line(log: Path) -> str:
    """pip's own first ERROR line, else its last line."""
    lines = [line.strip() for line in _read(log).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines[-1:] or ["pip said nothing"])[0]


COMMANDS: dict[str, Callable[[Checkout], int]] = {
    "setup": ready,
    "up": up,
    "preview": preview,
    "refresh": refresh,
    "destroy": destroy,
    "down": down,
    "test": test,
    "lint": lint,
    "bench": bench,
    "fuzz": fuzz,
    "audit": audit,
    "clean": clean,
    "lock": lock,
}


def with_a_newer_python(arguments: Sequence[str]) -> int:
    """This Python is too old: goes on with a newer one if there is one on PATH."""
    for name in NEWER_PYTHONS:
        found = shutil.which(name)
        if found is not None and _works(found):
            os.execv(found, [found, "-m", "tools.local", *arguments])
    wanted = ".".join(map(str, PYTHON_MINIMUM))
    raise CannotWork(
        f"Python {wanted} or newer is needed, and `python3` is {sys.version.split()[0]}: "
        "install one, or name it, as in `make up PYTHON=/path/to/python3`."
    )


def _works(python: str) -> bool:
    """Some are mere stand-ins that say how to install the real one."""
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python3 -m tools.local {{{','.join(COMMANDS)}}}", file=sys.stderr)
        return 2
    try:
        if sys.version_info < PYTHON_MINIMUM:
            return with_a_newer_python(arguments)
        return COMMANDS[arguments[0]](Checkout(Path(__file__).resolve().parent.parent))
    except (CannotWork, NotAvailable, DidNotStart) as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
