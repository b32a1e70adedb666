"""meter.py FILE COMMAND...: run a command, and write as JSON into FILE what it and all that it started used.

cpu_s: seconds of processor, of user and kernel; peak_mb: what the largest of these processes had resident. SIGTERM is
passed on. The command line of its own, so that the standard library's Python is all it needs.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    file, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # what a daemon leaves behind is counted, too
    child = os.posix_spawnp(command[0], command, os.environ)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    status = 0
    while True:
        try:
            ended, how = os.wait()
        except ChildProcessError:
            break
        if ended == child:
            status = os.waitstatus_to_exitcode(how)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    written = {"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss * 1024 / 1e6}
    Path(file).write_text(json.dumps(written))
    return abs(status)


if __name__ == "__main__":
    sys.exit(main())
