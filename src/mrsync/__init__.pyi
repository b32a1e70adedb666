"""Types of the Python interface; __init__.py loads its names when they are asked for."""

from mrsync.api import Event as Event
from mrsync.api import Result as Result
from mrsync.api import sync as sync
from mrsync.errors import ExitStatus as ExitStatus
from mrsync.errors import FileError as FileError
from mrsync.errors import Interrupted as Interrupted
from mrsync.errors import MrsyncError as MrsyncError
from mrsync.errors import SelectionError as SelectionError
from mrsync.errors import SocketError as SocketError
from mrsync.errors import StartError as StartError
from mrsync.errors import UsageError as UsageError
from mrsync.run.cast.outcome import TargetOutcome as TargetOutcome
from mrsync.run.cast.outcome import TargetState as TargetState
from mrsync.run.observer import Notice as Notice
from mrsync.run.observer import Snapshot as Snapshot
from mrsync.run.stop import Stop as Stop

__all__: list[str]
__version__: str
