"""What a process cost, seen from outside: for the scripts that measure. Linux only."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time


def run(command, folder=None, environment=None):
    """Runs it and returns its standard output and its figures: ms and bytes.

    `written` is what it handed to write calls, `write_bytes` what they made the storage layer write: `wchar` and
    `write_bytes` of proc(5). CPU and peak memory are those of the process and what it waited for: getrusage(2).
    """
    begun = time.monotonic()
    said = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)
    output = process.stdout.read()
    # Ended and not yet reaped, it still has its counters.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    wall = time.monotonic() - begun
    counters = dict(line.split(": ") for line in pathlib.Path(f"/proc/{process.pid}/io").read_text().splitlines())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said.seek(0)
        sys.exit(f"{output}{said.read()}{' '.join(map(str, command))} failed with status {process.returncode}")
    return output, {
        "wall_ms": wall * 1e3,
        "cpu_ms": (usage.ru_utime + usage.ru_stime) * 1e3,
        "peak_rss": usage.ru_maxrss * 1024,
        "written": int(counters["wchar"]),
        "write_bytes": int(counters["write_bytes"]),
    }
