"""Choose the launcher for a run, and start the catchers with their parameters."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from mrsync.c_library import c_library
from mrsync.remote.launcher import Launcher
from mrsync.remote.local import LocalLauncher
from mrsync.run.rendezvous import Rendezvous
from mrsync.run.settings import LOCAL, CastSettings, Invitation, Remote, encode_own_secret
from mrsync.transport.pages.compression import compressions_here
from mrsync.tuples import NamedTuple
from mrsync.wire.seals.sealing import seals_here
from mrsync.wire.seals.signing import Signer, can_sign

ANSWER_EXTRA_S = 5.0  # after the connect timeout, so that a remote shell can report its own reason first


class Program(NamedTuple):
    """A program for targets.

    name: of the installed program. module: the one to send otherwise, or to run in a fork.
    """

    name: str
    module: str

    def imported(self) -> Callable[[str], int]:
        """Return what runs it with the name of a target. The import takes 30 ms, and only forks need it here."""
        run: Callable[[str], int] = importlib.import_module(self.module).catch_from_stdin
        return run


CATCHER = Program("multicatcher", "mrsync.run.catch.catch")


def launch(settings: CastSettings, rendezvous: Rendezvous) -> Launcher | None:
    """Start the catchers. Return None if the user starts them.

    Catchers wait for the first status while the master scans. Raise UsageError if there is no such remote shell,
    StartError if nothing can be started.
    """
    if settings.remote_shell is None:
        return None
    invitation = Invitation(
        targets=settings.targets,
        dest=settings.dest,
        secret=settings.secret,
        network=settings.network,
        verbosity=settings.verbosity,
        is_dry_run=settings.is_dry_run,
        looks_ahead=not settings.selection.is_list and settings.selection.files is None,
        has_own_secrets=bool(settings.own_secrets),
        verify_key=signer.public if (signer := signer_of(settings)) is not None else b"",
    )
    if settings.remote_shell == LOCAL:
        seals_here(), compressions_here(), c_library()  # forks inherit what these import; each would take 23 ms for it
    own = [encode_own_secret(secret) for secret in settings.own_secrets]
    return start_everywhere(CATCHER, settings.remote_shell, settings.remote, invitation, rendezvous, own)


def signer_of(settings: CastSettings) -> Signer | None:
    """Return the signer of the master's decisions, or None.

    Signatures are of use only if targets have secrets of their own.
    """
    return Signer(settings.signing_seed) if settings.own_secrets and settings.signing_seed and can_sign() else None


def start_everywhere(
    program: Program,
    remote_shell: str,
    remote: Remote,
    invitation: Invitation,
    rendezvous: Rendezvous,
    own: Sequence[bytes] = (),
) -> Launcher:
    """Start a program on every invited target, and pass it the rendezvous. Raise the same errors as `launch`.

    remote_shell: the words of -r, or LOCAL. remote: how it is used. invitation: the parameters for all targets, without
    the network, which rendezvous has. own: an extra line for each target, which no other target gets.
    """
    launcher = _launcher(program, remote_shell, remote, invitation.targets)
    # The name of our interface is valid on this host only. Other hosts use their route to us.
    is_local = remote_shell == LOCAL
    invitation = invitation._replace(
        network=invitation.network._replace(
            group=rendezvous.group, port=rendezvous.port, interface=rendezvous.interfaces[0].name if is_local else None
        ),
        masters=tuple(interface.address for interface in rendezvous.interfaces),
        behind=rendezvous.behind if len(rendezvous.interfaces) > 1 else (),
    )
    launcher.start(invitation.encode(), own)
    return launcher


def start_alone(program: Program, remote_shell: str, remote: Remote, invitation: Invitation) -> Launcher:
    """Start a program that needs no network of ours on every invited target. Raise the same errors as `launch`.

    remote_shell: the value of -r. remote: how to start programs on other hosts.
    """
    launcher = _launcher(program, remote_shell, remote, invitation.targets)
    launcher.start(invitation.encode())
    return launcher


def _launcher(program: Program, remote_shell: str, remote: Remote, targets: tuple[str, ...]) -> Launcher:
    if remote_shell == LOCAL:
        return LocalLauncher(program.imported(), targets)
    return _remote_launcher(program, remote_shell, remote, targets)


def _remote_launcher(program: Program, remote_shell: str, remote: Remote, targets: tuple[str, ...]) -> Launcher:
    """Return the launcher for a remote shell. The imports take 20 ms, which runs on this host do not need to spend."""
    from mrsync.remote.bundle import opening_for
    from mrsync.remote.command import CatcherCommand, RemoteShell
    from mrsync.remote.shells import ShellLauncher

    shell = RemoteShell.parse(remote_shell, remote.connect_timeout_s, remote.user, remote.ports)
    command = CatcherCommand(remote.python, remote.directory, program.name, remote.is_sudo, remote.sudo_only)

    def opening(bytecode: bytes) -> bytes:
        return opening_for(program.module, bytecode) if command.is_pushed else b""

    answer_wait_s = remote.connect_timeout_s + ANSWER_EXTRA_S
    if remote.topology is None:
        return ShellLauncher(
            shell, command, targets, opening=opening, fanout=remote.fanout, answer_wait_s=answer_wait_s
        )
    from mrsync.remote.gateways import GatewayLauncher  # importing ClusterShell's tasks takes 40 ms

    # All targets behind gateways share one stdin, so all get sources.
    return GatewayLauncher(
        shell, command, targets, topology=remote.topology, opening=opening(b""), answer_wait_s=2 * answer_wait_s
    )
