"""Which launcher a run needs, and what it tells the catchers."""

from __future__ import annotations

from mrsync.remote.launcher import Launcher
from mrsync.remote.local import LocalLauncher
from mrsync.run.catch import catch_from_stdin
from mrsync.run.place import Place
from mrsync.run.settings import LOCAL, CastSettings, Invitation

ANSWER_EXTRA_S = 5.0  # after the connect timeout, so that a remote shell tells its own reason first


def launch(settings: CastSettings, place: Place) -> Launcher | None:
    """Start the catchers, if that is our business; they wait for the first status while we scan.

    Raises UsageError for a remote shell that is not there, StartError.
    """
    if settings.remote_shell is None:
        return None
    launcher = _launcher(settings, settings.remote_shell)
    # The name of our interface means something on this host only; others look for the route to us.
    is_local = settings.remote_shell == LOCAL
    invitation = Invitation(
        targets=settings.targets,
        dest=settings.dest,
        secret=settings.secret,
        network=settings.network._replace(
            group=place.group, port=place.port, interface=place.interfaces[0].name if is_local else None
        ),
        masters=tuple(interface.address for interface in place.interfaces),
        behind=place.behind if len(place.interfaces) > 1 else (),
        verbosity=settings.verbosity,
        is_dry_run=settings.is_dry_run,
    )
    launcher.start(invitation.encode())
    return launcher


def _launcher(settings: CastSettings, remote_shell: str) -> Launcher:
    if remote_shell == LOCAL:
        return LocalLauncher(catch_from_stdin, settings.targets)
    return _remote_launcher(settings, remote_shell)


def _remote_launcher(settings: CastSettings, remote_shell: str) -> Launcher:
    """Its modules cost 20 ms that runs on this host need not pay."""
    from mrsync.remote.bundle import make_bundle
    from mrsync.remote.command import CatcherCommand, RemoteShell
    from mrsync.remote.shells import ShellLauncher

    remote = settings.remote
    shell = RemoteShell.parse(remote_shell, remote.connect_timeout_s)
    command = CatcherCommand(remote.python, remote.directory)
    opening = make_bundle().opening() if command.is_pushed else b""
    answer_wait_s = remote.connect_timeout_s + ANSWER_EXTRA_S
    if remote.topology is None:
        return ShellLauncher(
            shell, command, settings.targets, opening=opening, fanout=remote.fanout, answer_wait_s=answer_wait_s
        )
    from mrsync.remote.gateways import GatewayLauncher  # ClusterShell's tasks: 40 ms

    return GatewayLauncher(
        shell, command, settings.targets, topology=remote.topology, opening=opening, answer_wait_s=2 * answer_wait_s
    )
