"""A small process between Tenet and a server that Tenet started: when Tenet is gone, for whatever reason, the server goes too.

    python -I -S server_supervisor.py DRIVER_PID GRACE -- COMMAND...

Standard input is a pipe from the driver. The kernel closes it however the driver ends, SIGKILL included, and that is the signal to
stop; a driver whose pipe lives on in a forked child is noticed by its process id. The command runs in a session of its own, so that
Ctrl-C in a terminal reaches neither. Stopping is SIGTERM to its whole group, and SIGKILL after GRACE seconds to whoever is left. Ends with
the command's own exit status (128 + N for signal N). Standard library only: it is a script, and imports nothing of Tenet.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_LOOK = 1.0
_STEP = 0.02
_PR_SET_CHILD_SUBREAPER = 36


def main(words: list[str]) -> int:
    """Run the command until it ends or the driver is gone; the exit status."""
    driver, grace, command = int(words[0]), float(words[1]), words[3:]
    awake, wake = os.pipe()
    os.set_blocking(awake, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    stops: list[int] = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda number, _: stops.append(number))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # a handler, for the command would inherit "ignored"
    adopt_orphans()
    try:
        child = subprocess.Popen(  # noqa: S603 - what the driver asks for
            command, stdin=subprocess.DEVNULL, stdout=2, stderr=2, start_new_session=True
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{child.pid}\n".encode())
    while child.poll() is None and not stops and os.getppid() == driver:
        ready, _, _ = select.select([0, awake], [], [], _LOOK)
        if 0 in ready and not os.read(0, 1024):
            break
        if awake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(awake, 1024)
    end_group(child, grace)
    status = child.wait()
    return 128 - status if status < 0 else status


def end_group(child: subprocess.Popen[bytes], grace: float) -> None:
    """End the child's group and every other descendant; returns when none is left, or after SIGKILL was sent to all."""
    send(child.pid, signal.SIGTERM)
    until = time.monotonic() + grace
    while time.monotonic() < until and alive(child):
        time.sleep(_STEP)
    send(child.pid, signal.SIGKILL)
    until = time.monotonic() + 5.0
    while time.monotonic() < until and alive(child):
        for stray in strays(child):
            with contextlib.suppress(OSError):
                os.kill(stray, signal.SIGKILL)
        time.sleep(_STEP)


def send(group: int, number: int) -> None:
    """Signal a group that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def alive(child: subprocess.Popen[bytes]) -> bool:
    """Whether anyone of the group, or of the orphans that came to us, is left. Collects those that have ended."""
    child.poll()
    for stray in strays(child):
        with contextlib.suppress(OSError):
            os.waitpid(stray, os.WNOHANG)
    if child.returncode is None or any(strays(child)):
        return True
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def adopt_orphans() -> None:
    """On Linux, become the parent of descendants whose own parent ends, so that one that left the group is found too."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def strays(child: subprocess.Popen[bytes]) -> Iterator[int]:
    """The orphans that came to us; none where the system does not list them."""
    for listed in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            yield from (found for found in map(int, listed.read_text().split()) if found != child.pid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
