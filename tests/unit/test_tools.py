"""What stands behind the Makefile: which Pulumi is taken, what a local run sees, which processes are ours."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import get_pulumi, local, processes
from tools.get_pulumi import NotAvailable
from tools.simulator_process import DidNotStart, Running, Simulator, free_port

CHECKOUT = Path(__file__).resolve().parents[2]

NEVER_CALLED = Path("/nonexistent/python")
HOSTS = (get_pulumi.LANGUAGE_HOST, get_pulumi.DYNAMIC_HOST)

# Builds by writing what `go build -o TARGET` is asked for; the program it "builds" says the pinned version.
GO = """#!/bin/sh
case "$1" in
version) echo "go version go1.26.0 linux/amd64" ;;
list) echo "{sdk}" ;;
build)
  echo built >> "{calls}"
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\necho v3.259.0\\n' > "$2"
  chmod +x "$2" ;;
esac
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def a_pulumi(folder: Path, version: str, hosts: tuple[str, ...] = HOSTS) -> Path:
    for host in hosts:
        script(folder / host, "#!/bin/sh\n")
    return script(folder / "pulumi", f"#!/bin/sh\necho {version}\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with nothing but what pins Pulumi."""
    for module in ("pulumi", "language-host"):
        folder = tmp_path / "checkout" / "tools" / module
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text(f"module {module}\n\trequire {get_pulumi.CLI_MODULE} v3.259.0 // indirect\n")
        (folder / "go.sum").write_text("")
    return tmp_path / "checkout"


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A `go` that builds at once; its calls are in the file `calls` beside it."""
    sdk = tmp_path / "sdk"
    script(sdk / "python" / "cmd" / f"{get_pulumi.LANGUAGE_HOST}-exec", "#!/bin/sh\n")
    script(sdk / "python" / "dist" / get_pulumi.DYNAMIC_HOST, "#!/bin/sh\n")
    return script(tmp_path / "go-bin" / "go", GO.format(sdk=sdk, calls=tmp_path / "go-bin" / "calls"))


def builds(go: Path) -> int:
    calls = go.parent / "calls"
    return len(calls.read_text().splitlines()) if calls.exists() else 0


def test_the_pulumi_on_path_is_taken(root: Path, tmp_path: Path) -> None:
    a_pulumi(tmp_path / "bin", "v3.300.1")

    found = get_pulumi.get(root, NEVER_CALLED, search=str(tmp_path / "bin"))

    assert found == get_pulumi.Pulumi(tmp_path / "bin", "3.300.1")
    assert not (root / ".local").exists()


@pytest.mark.parametrize(
    ("version", "hosts", "reason"),
    [
        ("v3.100.0", HOSTS, "3.100.0; version 3.190.0 or a newer 3.x is needed"),
        ("v4.0.0", HOSTS, "4.0.0; version 3.190.0"),
        ("v3.300.0", HOSTS[:1], "has no pulumi-resource-pulumi-python beside it"),
        ("v3.300.0", HOSTS[1:], "has no pulumi-language-python beside it"),
        ("hello", HOSTS, "which is no version"),
    ],
)
def test_a_pulumi_that_will_not_do_is_passed_over_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, hosts: tuple[str, ...], reason: str
) -> None:
    a_pulumi(tmp_path / "bin", version, hosts)

    assert get_pulumi.on_path(str(tmp_path / "bin")) is None
    assert reason in capsys.readouterr().out


def test_hosts_elsewhere_on_path_will_do(tmp_path: Path) -> None:
    a_pulumi(tmp_path / "bin", "v3.300.0", hosts=())
    for host in HOSTS:
        script(tmp_path / "hosts" / host, "#!/bin/sh\n")

    assert get_pulumi.on_path(f"{tmp_path / 'bin'}:{tmp_path / 'hosts'}") is not None


def test_the_choice_can_be_a_path(root: Path, tmp_path: Path) -> None:
    a_pulumi(tmp_path / "mine", "v3.300.0")

    for choice in (tmp_path / "mine", tmp_path / "mine" / "pulumi"):
        assert get_pulumi.get(root, NEVER_CALLED, choice=str(choice), search="").folder == tmp_path / "mine"
    with pytest.raises(NotAvailable, match="does not work"):
        get_pulumi.get(root, NEVER_CALLED, choice=str(tmp_path / "nowhere"), search="")


def test_without_a_pulumi_or_an_installer_it_is_built_once(root: Path, go: Path) -> None:
    search = f"{go.parent}:/usr/bin:/bin"

    first = get_pulumi.get(root, NEVER_CALLED, choice="build", search=search)
    second = get_pulumi.get(root, NEVER_CALLED, choice="build", search="")

    assert first == second == get_pulumi.Pulumi(root / ".local" / "pulumi" / "bin", "3.259.0")
    assert builds(go) == 2  # the command line and its language host
    assert all(os.access(first.folder / name, os.X_OK) for name in get_pulumi.FILES)
    assert not list((root / ".local" / "pulumi").glob("making-*"))


def test_an_installer_that_fails_is_followed_by_a_build(
    root: Path, go: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = script(root / "python", "#!/bin/sh\necho 'no such host' >&2\nexit 1\n")

    get_pulumi.get(root, python, search=str(go.parent) + ":/usr/bin:/bin")

    assert "installer did not work: no such host" in capsys.readouterr().out
    assert builds(go) == 2


def test_what_the_installer_brought_is_kept(root: Path, tmp_path: Path) -> None:
    brought = tmp_path / "brought"
    a_pulumi(brought, "v3.259.0", (*HOSTS, get_pulumi.LANGUAGE_HOST + "-exec"))
    python = script(root / "python", f'#!/bin/sh\nmkdir -p "$3/bin" && cp {brought}/* "$3/bin"\n')

    get_pulumi.get(root, python, search="/usr/bin:/bin")
    again = get_pulumi.get(root, NEVER_CALLED, search="")

    assert again.folder == root / ".local" / "pulumi" / "bin"


def test_a_build_that_fails_leaves_nothing_that_counts(root: Path, go: Path) -> None:
    script(go, '#!/bin/sh\n[ "$1" = version ] && echo go1.26.0 && exit\necho "no network" >&2\nexit 1\n')

    with pytest.raises(NotAvailable, match="did not work: no network"):
        get_pulumi.get(root, NEVER_CALLED, choice="build", search=str(go.parent) + ":/usr/bin:/bin")

    kept = root / ".local" / "pulumi"
    assert sorted(path.name for path in kept.iterdir()) == ["build.log", "lock"]


def test_what_a_killed_build_left_is_removed_and_another_pin_builds_anew(root: Path, go: Path) -> None:
    search = f"{go.parent}:/usr/bin:/bin"
    left = root / ".local" / "pulumi" / "making-killed" / "bin"
    left.mkdir(parents=True)

    get_pulumi.get(root, NEVER_CALLED, choice="build", search=search)
    assert not left.exists()
    with (root / "tools" / "pulumi" / "go.mod").open("a") as pins:
        pins.write("// another pin\n")
    get_pulumi.get(root, NEVER_CALLED, choice="build", search=search)

    assert builds(go) == 4


@pytest.mark.parametrize(
    ("go_says", "sentence"),
    [(None, "there is no Go to build it with"), ("go version go1.19.8 linux/amd64", "too old to build Pulumi")],
)
def test_without_anything_one_sentence_says_what_is_missing(
    root: Path, tmp_path: Path, go_says: str | None, sentence: str
) -> None:
    python = script(root / "python", "#!/bin/sh\nexit 1\n")
    if go_says is not None:
        script(tmp_path / "old" / "go", f"#!/bin/sh\necho '{go_says}'\n")

    with pytest.raises(NotAvailable, match=sentence):
        get_pulumi.get(root, python, search=str(tmp_path / "old"))


@pytest.fixture
def checkout(tmp_path: Path) -> local.Checkout:
    (tmp_path / "requirements-dev.txt").write_text("one==1\n")
    return local.Checkout(tmp_path)


def test_a_local_run_is_cut_off_from_the_users_own_settings(checkout: local.Checkout) -> None:
    mine = {
        "PATH": "/usr/bin",
        "PULUMI_ACCESS_TOKEN": "secret",
        "PULUMI_BACKEND_URL": "https://example.org",
        "ARM_CLIENT_SECRET": "secret",
        "AZURE_CLIENT_ID": "me",
        "AZUREMARKETPLACE_ENDPOINT": "https://cloudpartner.azure.com",
        "NO_PROXY": "example.org",
        "PYTHONHOME": "/somewhere",
        "LANG": "C",
    }

    environment = local.local_environment(checkout, Path("/pulumi"), Running(1, 4711), mine)

    assert "secret" not in environment.values()
    assert not any(name.startswith(("ARM_", "AZURE_", "PYTHONHOME")) for name in environment)
    assert environment["PULUMI_BACKEND_URL"] == f"file://{checkout.root}/.local/pulumi/state?metadata=skip"
    assert environment["PATH"] == f"{checkout.root}/.venv/bin:/pulumi:/usr/bin"
    assert environment["no_proxy"] == environment["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    assert environment["LANG"] == "C"
    endpoints = {value for name, value in environment.items() if name.endswith("_ENDPOINT")}
    assert endpoints == {
        "http://127.0.0.1:4711",
        "http://127.0.0.1:4711/rp/product-ingestion",
        "http://127.0.0.1:4711/v1.0/ingestion",
    }


def test_the_environment_is_made_anew_for_other_requirements_or_another_place(checkout: local.Checkout) -> None:
    before = local.stamp(checkout.environment)
    checkout.environment.requirements.write_text("one==2\n")

    assert local.stamp(checkout.environment) != before
    elsewhere = local.Checkout(checkout.root / "copy")
    elsewhere.root.mkdir()
    elsewhere.environment.requirements.write_text("one==1\n")
    assert local.stamp(elsewhere.environment) != before


def test_an_old_python_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setenv("PATH", "/nonexistent")

    assert local.main(["up"]) == 1
    assert "Python 3.10 or newer is needed" in capsys.readouterr().err


def test_a_missing_venv_module_is_told_in_one_sentence(
    checkout: local.Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ensurepip" else object())

    with pytest.raises(local.CannotWork, match="has no ensurepip module: install it"):
        local.ensure_environment(checkout)


def a_lock(checkout: local.Checkout, pid: int, host: str) -> None:
    folder = checkout.state / ".pulumi" / "locks" / "organization" / "offergolive" / "local"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock.json").write_text(json.dumps({"pid": pid, "hostname": host}))
    (folder / "lock.json.attrs").write_text("{}")


def a_recording_pulumi(checkout: local.Checkout) -> tuple[Path, Path]:
    said = checkout.root / "said"
    program = f'#!/bin/sh\necho "$@" >> {said}\necho \'{{"deployment": {{"pending_operations": [1]}}}}\'\n'
    return script(checkout.root / "pulumi-bin" / "pulumi", program), said


def test_a_killed_run_is_recovered_from(checkout: local.Checkout) -> None:
    program, said = a_recording_pulumi(checkout)
    a_lock(checkout, pid=2**22 + 1, host=socket.gethostname())

    local.recover(checkout, str(program), os.environ)

    commands = [line.split(" --")[0] for line in said.read_text().splitlines()]
    assert commands == ["cancel", "stack export", "stack import"]


@pytest.mark.parametrize("host", ["another-machine", ""])
def test_a_run_that_may_be_alive_is_left_alone(checkout: local.Checkout, host: str, tmp_path: Path) -> None:
    program, said = a_recording_pulumi(checkout)
    pulumi = script(tmp_path / "bin" / "pulumi", "#!/bin/sh\nsleep 60\n")
    with subprocess.Popen([str(pulumi), "up"]) as living:
        until(lambda: "pulumi" in (processes.command_line(living.pid) or ""))  # not this test's own, before it is begun
        a_lock(checkout, living.pid, host or socket.gethostname())

        with pytest.raises(local.CannotWork, match=f"Another run is working.*process {living.pid}"):
            local.recover(checkout, str(program), os.environ)

        living.kill()
    assert not said.exists()


def test_without_a_lock_nothing_is_done(checkout: local.Checkout) -> None:
    local.recover(checkout, "/nonexistent/pulumi", os.environ)


def waits(**environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env={**os.environ, **environment})


def test_only_processes_of_this_checkout_are_ended(checkout: local.Checkout) -> None:
    ours = waits(OFFERGOLIVE_CHECKOUT=str(checkout.root))
    others = waits(OFFERGOLIVE_CHECKOUT=f"{checkout.root}-2")
    until(lambda: processes.with_environment(checkout.mark) == [ours.pid])

    local.end_left_over(checkout)

    assert ours.wait(5) != 0
    assert others.poll() is None
    others.kill()
    others.wait()


def test_an_ended_process_has_no_command_line() -> None:
    process = waits()
    until(lambda: "sleep 60" in (processes.command_line(process.pid) or ""))

    process.kill()
    until(lambda: processes.command_line(process.pid) is None)  # though nobody has waited for it

    process.wait()


def until(holds: object) -> None:
    assert callable(holds)
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


FAKE_SIMULATOR = """
import http.server, pathlib, sys
port, port_file = (sys.argv[sys.argv.index(name) + 1] for name in ("--port", "--port-file"))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", int(port)), Handler)
pathlib.Path(port_file).write_text(port)
server.serve_forever()
"""


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    made = a_simulator(tmp_path / "one")
    yield made
    made.stop()


def a_simulator(root: Path) -> Simulator:
    (root / "simulator").mkdir(parents=True)
    (root / "simulator" / "__main__.py").write_text(FAKE_SIMULATOR)
    return Simulator(root, root / "kept", Path(sys.executable))


def test_the_simulator_is_started_once_and_found_again(simulator: Simulator) -> None:
    first, started = simulator.ensure()
    second, started_again = simulator.ensure()

    assert (started, started_again) == (True, False)
    assert first == second == simulator.running()
    assert simulator.stop() == first
    assert processes.command_line(first.pid) is None
    assert simulator.stop() is None


def test_it_comes_back_on_its_port_of_last_time(simulator: Simulator) -> None:
    first = simulator.start()
    simulator.stop()

    assert simulator.start().port == first.port


def test_two_checkouts_have_one_each(simulator: Simulator, tmp_path: Path) -> None:
    other = a_simulator(tmp_path / "two")
    first = simulator.start()
    second = other.start()

    assert first.port != second.port
    assert other.stop() == second
    assert simulator.running() == first


def test_a_port_that_is_taken_at_the_last_moment_is_not_insisted_on(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_simulator(tmp_path / "two")
    taken = other.start().port
    looks: list[list[int]] = []

    def too_early(wanted: list[int]) -> int:
        looks.append(wanted)
        return taken if len(looks) == 1 else free_port(wanted)

    monkeypatch.setattr("tools.simulator_process.free_port", too_early)
    assert simulator.start().port != taken
    other.stop()


def test_a_stale_record_is_neither_taken_for_it_nor_ended(simulator: Simulator) -> None:
    stranger = waits()
    simulator.folder.mkdir(parents=True)
    simulator.record.write_text(json.dumps({"pid": stranger.pid, "port": free_port([])}))

    assert simulator.running() is None
    assert simulator.stop() is None
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_simulator_that_cannot_start_says_why(simulator: Simulator) -> None:
    (simulator.root / "simulator" / "__main__.py").write_text("raise SystemExit('simulator: bad scenario')")

    with pytest.raises(DidNotStart, match="ended at once: simulator: bad scenario"):
        simulator.start()


RAW_AND_KILLED = "import os, tty; tty.setraw(0); os.kill(os.getpid(), 9)"
A_RUN = """
import os, sys
from pathlib import Path
from tools import local
code = local.run_to_its_end([sys.executable, "-c", sys.argv[1]], Path("."), os.environ)
print("ended", code, flush=True)
"""


def test_a_terminal_is_itself_again_after_a_killed_run() -> None:
    here, there = os.openpty()
    before = termios.tcgetattr(there)
    command = [sys.executable, "-c", A_RUN, RAW_AND_KILLED]

    done = subprocess.run(command, stdin=there, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True, check=True)

    assert termios.tcgetattr(there) == before
    assert "ended 137" in done.stdout
    os.close(here)
    os.close(there)
