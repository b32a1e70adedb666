"""Hosts of a lab with a real OpenSSH server each: their own keys, login shell, Python, and private directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.netns.lab import Host, Lab
from tests.netns.process import Process
from tests.programs import Argument, program
from tests.support.waiting import HANG_S
from tests.trees import differences

PROGRAMS = ("ssh", "sshd", "ssh-keygen")
SECRET = bytes(range(100, 132))  # of runs that are searched for it
KNOWN_SECRET = "import os; draw = os.urandom; os.urandom = lambda n: bytes(range(100, 132)) if n == 32 else draw(n); "
HANG = "import socket, time; s = socket.create_server(('', 22)); print('listening', flush=True); time.sleep(1000)"
SSHD = """
HostKey {keys}/{host_key}
AuthorizedKeysFile {keys}/user.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
LogLevel VERBOSE
SetEnv PATH={path}
{banner}
"""
SSH = """
Host *
  User root
  IdentityFile {keys}/user
  IdentitiesOnly yes
  UserKnownHostsFile {keys}/known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""


class Estate:
    """All hosts of a lab see the same files, but each has `dest`, its home and its user table for itself."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.source = folder / "source"
        self.dest = folder / "dest"  # the same path on every host, and another place
        self.keys = folder / "keys"
        self.servers: list[Process] = []
        self._make_keys()
        self.dest.mkdir()
        names = [f"{host.address} {host.name}\n" for host in lab.hosts]
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(names))
        Path("/run/sshd").mkdir(exist_ok=True)  # where the server locks itself in

    def tree(self, host: Host) -> Path:
        """What `dest` is on this host, seen from here."""
        return self.folder / host.name / "dest"

    def home(self, host: Host) -> Path:
        return self.folder / host.name / "home"

    def serve(
        self,
        host: Host,
        *,
        shell: str = "/bin/sh",
        python: str | None = sys.executable,
        options: str = "",
        host_key: str = "host",
        banner: str = "",
    ) -> None:
        """Start a server; python: what `python3` is there, with these options of its own, None: there is none."""
        own = self.folder / host.name
        for name in ("dest", "home", "bin"):
            (own / name).mkdir(parents=True)
        path = str(own / "bin")
        if python is not None:
            (own / "bin" / "python3").write_text(f'#!/bin/sh\nexec "{python}" {options} "$@"\n')
            (own / "bin" / "python3").chmod(0o755)
            path += ":/usr/bin:/bin"
        users = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("root:")]
        (own / "passwd").write_text("\n".join([f"root:x:0:0:root:{own}/home:{shell}", *users, ""]))
        (own / "banner").write_text(banner)
        configuration = SSHD.format(
            keys=self.keys, host_key=host_key, path=path, banner=f"Banner {own}/banner" if banner else ""
        )
        (own / "sshd_config").write_text(configuration)
        server = f"exec {shutil.which('sshd')} -D -f {own}/sshd_config -E {own}/sshd.log"
        host.start("sh", "-c", self._within(host) + server)
        self._await_log(own / "sshd.log")

    def serve_all(self, hosts: list[Host] | None = None) -> None:
        for host in self.lab.targets if hosts is None else hosts:
            self.serve(host)

    def hang(self, host: Host) -> None:
        """Accept connections, and never say a word."""
        host.start(sys.executable, "-c", HANG).wait_for("listening")

    def start(
        self,
        *options: Argument,
        targets: str | None = None,
        shell: str | None = None,
        dest: Path | None = None,
    ) -> Process:
        """mrsync on the master; by default to all targets over ssh."""
        listed = targets or ",".join(host.name for host in self.lab.targets)
        shell = shell or f"ssh -F {self.keys}/config"
        command = program(
            "mrsync", "-m", listed, "-s", self.source, "-t", dest or self.dest, "-r", shell, "--report",
            self.folder / "report.json", "--progress", "none", *options,
        )  # fmt: skip
        command[2] = KNOWN_SECRET + command[2]
        return self.on_master(*command)

    def on_master(self, *command: str | Path) -> Process:
        """A program on the master that knows all hosts by name."""
        mount = f"mount --bind {self.folder}/hosts /etc/hosts && "
        return self.lab.master.start("sh", "-c", mount + 'exec "$@"', "sh", *command)

    def sync(self, *options: Argument, targets: str | None = None, shell: str | None = None) -> int:
        """A whole run: its exit status."""
        run = self.start(*options, targets=targets, shell=shell)
        status = run.wait()
        print(run.output)
        return status

    def report(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return loaded

    def reasons(self) -> dict[str, str | None]:
        """Why targets are not done."""
        return {name: end["reason"] for name, end in self.report()["targets"].items() if end["state"] != "done"}

    def differences(self, hosts: list[Host] | None = None) -> dict[str, list[str]]:
        """By host, for those that differ."""
        every = {host.name: differences(self.source, self.tree(host)) for host in hosts or self.lab.targets}
        return {name: found for name, found in every.items() if found}

    def processes(self) -> dict[int, str]:
        """Command lines of what runs in the lab, but the servers that wait for connections."""
        rooms = {os.stat(f"/run/netns/{host.namespace}").st_ino for host in self.lab.hosts}
        found = {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.stat(f"/proc/{pid}/ns/net").st_ino in rooms:
                    found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended meanwhile, or is none of ours
        return {pid: line for pid, line in found.items() if line and "sshd" not in line and HANG not in line}

    def await_silence(self, timeout_s: float = 20.0) -> None:
        """Until nothing of the run is left."""
        deadline = time.monotonic() + timeout_s
        while left := self.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)

    def exposures(self) -> list[str]:
        """Where the secret can be read: arguments and environments of processes, reports, logs, homes."""
        forms = (SECRET, SECRET.hex().encode(), SECRET.hex().upper().encode())
        places = [f"/proc/{pid}/{name}" for pid in self.processes() for name in ("cmdline", "environ")]
        logs = [*self.folder.glob("*.json"), *self.folder.glob("t*/*.log"), *self.folder.glob("t*/home/**/*")]
        places += [str(path) for path in logs if path.is_file()]
        return [place for place in places if any(form in _content(place) for form in forms)]

    def _within(self, host: Host) -> str:
        """Commands that give a host its own directory and users; its mounts are its own already."""
        own = self.folder / host.name
        return (
            "mkdir -p -m 700 /var/lib/mrsync && mount -t tmpfs -o mode=0700 tmpfs /var/lib/mrsync && "
            f"mount --bind {own}/dest {self.dest} && mount --bind {own}/passwd /etc/passwd"
            f" && mount --bind {self.folder}/hosts /etc/hosts && "
        )

    def _make_keys(self) -> None:
        self.keys.mkdir()
        for name in ("host", "other", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.keys / name], check=True)
        public = (self.keys / "host.pub").read_text()
        (self.keys / "known").write_text("".join(f"{host.name} {public}" for host in self.lab.hosts))
        (self.keys / "config").write_text(SSH.format(keys=self.keys))

    def _await_log(self, path: Path) -> None:
        deadline = time.monotonic() + HANG_S
        while not path.exists() or "Server listening" not in path.read_text():
            assert time.monotonic() < deadline, path.read_text() if path.exists() else "sshd said nothing"
            time.sleep(0.01)


def missing_program() -> str | None:
    """Why no server can be started here, or None."""
    for name in PROGRAMS:
        if shutil.which(name) is None:
            return f"{name} is not installed"
    return None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""  # it ended meanwhile
