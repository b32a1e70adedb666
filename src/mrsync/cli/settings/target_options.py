"""Which targets the options name, and how a catcher is started on each of them."""

from __future__ import annotations

import argparse
import os

from mrsync.cli.registry.options import fields_of
from mrsync.errors import UsageError
from mrsync.remote.targets import Targets, named_among, read_targets
from mrsync.run.observer import Notice
from mrsync.run.settings import LOCAL, Remote
from mrsync.wire.limits import TARGETS_MAX


def targets_of(options: argparse.Namespace, *, keeps_own_host: bool) -> Targets:
    """Return the targets. keeps_own_host: see read_targets. Raise UsageError.

    Hosts that a settings file excludes need not be among them, because the file is for many runs.
    """
    if not all(options.targets or [""]):
        raise UsageError("TARGETS is missing (-m)")
    typed = getattr(options, "typed", options).exclude_target
    elsewhere = options.exclude_target[: len(options.exclude_target) - len(typed)]
    targets = read_targets(options.targets, typed, elsewhere, keeps_own_host=keeps_own_host)
    if len(targets.hosts) > TARGETS_MAX:
        raise UsageError(f"{len(targets.hosts)} targets, more than the {TARGETS_MAX} a session can have")
    return targets


def remarks_on(targets: Targets) -> tuple[Notice, ...]:
    """Return remarks for the user about how TARGETS were understood."""
    read = [
        Notice(0, f"{name} is a file, so targets are read from it; write ./{name} to say so, or '{name},' for a host")
        for name in targets.files
    ]
    return (*read, *(Notice(0, "left out, because it is this host", host) for host in targets.left_out))


def may_be_root(options: argparse.Namespace, targets: Targets) -> bool:
    """Return whether a catcher may run as root, for all that is known here: ssh_config may name users, too."""
    uses_sudo = options.sudo or options.rsync_path or any(each.becomes_root for each in targets.members.values())
    users = {host.rpartition("@")[0] or options.remote_user or "root" for host in targets.hosts}
    return bool(uses_sudo) or "root" in users


def remote_of(options: argparse.Namespace, program: str, targets: Targets) -> Remote:
    """Return how to start catchers on these targets. Raise UsageError."""
    if options.rsh == LOCAL:
        return _on_this_host(options, program)
    remote = _asked_remote(options, program)
    if remote.topology is not None and not os.path.isfile(remote.topology):
        raise UsageError(f"--topology {remote.topology}: there is no such file")
    if isinstance(options.sudo, str):
        is_typed = isinstance(getattr(options, "typed", options).sudo, str)
        remote = _with_sudo_on(options.sudo, remote, targets, names_others=not is_typed)
    return _as_listed(remote, targets, reads_become=options.sudo is None)


def _asked_remote(options: argparse.Namespace, program: str) -> Remote:
    is_sudo = options.sudo not in (None, False)
    remote = Remote(directory=options.remote_dir, is_sudo=is_sudo, **fields_of(program, "remote", options))
    return _started_like_rsync(remote)


def _on_this_host(options: argparse.Namespace, program: str) -> Remote:
    """Return how to start catchers on this host. Raise UsageError for typed options that are for other hosts.

    In settings files such options are ignored, because the files are for other runs, too.
    """
    default = {name: getattr(Remote(), name) for name in ("directory", "topology", "user", "is_sudo", "python")}
    typed = _asked_remote(getattr(options, "typed", options), program)
    if typed != typed._replace(**default):
        names = "--remote-dir, --remote-python, --remote-user, --rsync-path, --sudo and --topology"
        raise UsageError(f"{names} are for other hosts, not for -r local")
    return _asked_remote(options, program)._replace(**default)


def _as_listed(remote: Remote, targets: Targets, *, reads_become: bool) -> Remote:
    """Return how to start catchers, with the ports of inventories and, if the user says nothing of sudo, their sudo.

    Raise UsageError.
    """
    ports = {host: member.port for host, member in targets.members.items() if member.port}
    if ports and remote.topology is not None:
        host, port = next(iter(ports.items()))
        raise UsageError(f"{host} has port {port} (ansible_port): behind gateways (--topology), put it into ssh_config")
    remote = remote._replace(ports=ports)
    if remote.is_sudo or not reads_become:
        return remote
    if problem := next((one.become_problem for one in targets.members.values() if one.become_problem), ""):
        raise UsageError(f"{problem}; say with --sudo, --sudo=TARGETS or --no-sudo where catchers run as root")
    becoming = frozenset(host for host, member in targets.members.items() if member.becomes_root)
    if not becoming:
        return remote
    is_everyone = len(becoming) == len(targets.hosts)
    if remote.topology is not None and not is_everyone:
        raise UsageError("ansible_become: gateways (--topology) start all targets alike; give --sudo or --no-sudo")
    return remote._replace(is_sudo=True, sudo_only=None if is_everyone else becoming)


def _with_sudo_on(text: str, remote: Remote, targets: Targets, *, names_others: bool) -> Remote:
    """Return how to start catchers, with sudo on the targets that --sudo names. Raise UsageError.

    names_others: it may name targets of other runs, because it is in a settings file.
    """
    try:
        chosen = named_among(text, targets, names_others=names_others)
    except UsageError as error:
        raise UsageError(f"--sudo={text}: {error}") from error
    if len(chosen) in (0, len(targets.hosts)):
        return remote._replace(is_sudo=bool(chosen))
    if remote.topology is not None:
        raise UsageError(f"--sudo={text}: gateways (--topology) start all targets alike; give --sudo without names")
    if (remote.rsync_path or "").split()[:1] == ["sudo"]:
        raise UsageError(f"--sudo={text}: --rsync-path '{remote.rsync_path}' is for all targets; leave out its sudo")
    return remote._replace(sudo_only=chosen)


def _started_like_rsync(remote: Remote) -> Remote:
    """Return how to start catchers, with the commands that --rsync-path has before rsync. Raise UsageError."""
    before = (remote.rsync_path or "").split()[:-1]
    if not before:
        return remote
    is_sudo = before[0] == "sudo"
    if is_sudo:
        before = before[2:] if before[1:2] == ["-n"] else before[1:]
    if before and before[0].startswith("-"):
        raise UsageError(f"--rsync-path '{remote.rsync_path}': give sudo no option but -n")
    return remote._replace(is_sudo=remote.is_sudo or is_sudo, python=" ".join([*before, remote.python]))
