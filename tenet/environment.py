"""What is installed here: Tenet's own version, whether its packages are really its own, and whether torch's fit together.

Other distributions have packages of the same names (`judges` is one); in one environment the one shadows or
overwrites the other. Knows import paths and installed metadata only, imports none of the packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from tenet.errors import UsageError

DISTRIBUTION = "tenet-rlaif"


def version() -> str:
    """The version of the installed distribution; "0 (not installed)" from a bare source tree."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0 (not installed)"


@dataclass(frozen=True)
class Foreign:
    """A package of one of our names that is not ours: where it lies, and its distribution with version (empty where none is known)."""

    name: str
    place: Path
    distribution: str
    home: Path

    @property
    def message(self) -> str:
        """What is wrong."""
        owner = f"the distribution {self.distribution}" if self.distribution else "something else"
        return (
            f"The package `{self.name}` is imported from {self.place}, and belongs to {owner}; "
            f"Tenet has a package of that name in {self.home}."
        )

    @property
    def cure(self) -> str:
        """The command that mends it; where its files lie on top of ours, ours have to come back."""
        away = f"pip uninstall {self.distribution.split()[0]}" if self.distribution else f"remove {self.place}"
        over = self.place.parent == self.home
        return away + (f" && pip install --force-reinstall --no-deps {DISTRIBUTION}" if over else "")


def foreign_packages(names: Sequence[str], home: Path | None = None) -> list[Foreign]:
    """The packages that are imported under our names and are not ours; `home` is the folder that ours are in."""
    home = home or Path(__file__).resolve().parent.parent
    found = []
    for name in names:
        place = _place(name)
        if place is None:
            continue
        distribution = _distribution(name, place)
        if place.parent != home or distribution:
            found.append(Foreign(name, place, distribution, home))
    return found


def require_own_packages(names: Sequence[str], home: Path | None = None) -> None:
    """Refuse to go on with somebody else's package under one of our names; `home` is the folder that ours are
    in.

    Raises:
        UsageError: names the package, its place and its distribution, and says the cure.
    """
    for foreign in foreign_packages(names, home):
        raise UsageError(
            foreign.message, hint=f"Give Tenet an environment of its own (python -m venv .venv), or: {foreign.cure}"
        )


TORCHVISION_CURE = "pip uninstall torchvision torchaudio torchcodec"


def require_matching_torchvision() -> None:
    """Refuse to go on with a torchvision for CUDA beside a torch for the CPU: importing transformers would die of it.

    The wheels that carry CUDA have a plain version, those for the CPU end in "+cpu"; vLLM's CPU build asks for the former.

    Raises:
        UsageError: names the two versions and says the cure.
    """
    try:
        torch, vision = metadata.version("torch"), metadata.version("torchvision")
    except metadata.PackageNotFoundError:
        return
    if torch.endswith("+cpu") and "+" not in vision:
        raise UsageError(
            f"torchvision {vision} is built for CUDA and torch {torch} for the CPU: with both, transformers cannot be imported.",
            hint=f"{TORCHVISION_CURE}   (Tenet, vLLM and TRL work without them)",
        )


def _place(name: str) -> Path | None:
    """The folder that a package would be imported from, None where there is none."""
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _distribution(name: str, place: Path) -> str:
    """The distribution of this very name that has put files into the folder, with its version; empty where
    there is none.
    """
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""
    files = found.files or []
    ours = any(
        Path(str(found.locate_file(file))).resolve().is_relative_to(place)
        for file in files
        if file.parts[:1] == (name,)
    )
    return f"{found.metadata['Name']} {found.version}" if ours else ""
