"""Every check, by name, and how they are carried out. A check that fails itself is a finding, and the others go on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from tenet.doctor import devices, machine, packages, settings
from tenet.doctor.model import Finding, Level, Place

Check = Callable[[Place], Iterator[Finding]]

CHECKS: Final[Mapping[str, Check]] = {
    "python": packages.python,
    "names": packages.names,
    "versions": packages.versions,
    "torchvision": packages.torchvision,
    "torch": devices.torch,
    "transformers": devices.transformers,
    "vllm": devices.vllm,
    "runs": machine.folder,
    "disk": machine.disk,
    "shm": machine.shared_memory,
    "limits": machine.limits,
    "ports": machine.ports,
    "hub": settings.hub,
    "launcher": settings.launcher,
    "telemetry": settings.telemetry,
    "encoding": settings.encoding,
}


def examine(place: Place, names: Iterable[str] = ()) -> Iterator[Finding]:
    """Carry out the checks of these names, or all, in the order of the table."""
    wanted = set(names) or set(CHECKS)
    for name, check in CHECKS.items():
        if name in wanted:
            yield from _carried_out(name, check, place)


def _carried_out(name: str, check: Check, place: Place) -> Iterator[Finding]:
    try:
        yield from check(place)
    except subprocess.TimeoutExpired as error:
        message = f"This took longer than {error.timeout:.0f} s: the machine is busy, or its disk is slow"
        yield Finding(name, Level.WARNING, message, f"tenet doctor --only {name}  # once more, when it is quiet")
    except Exception as error:
        yield Finding(name, Level.WARNING, f"This could not be looked at: {error!r}")
