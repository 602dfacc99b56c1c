"""What would break on Windows or macOS, as far as a test on Linux can see it: nobody has run Tenet there."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tenet", "engines", "constitution", "judges", "generate", "train", "principles", "pocket")

POSIX_MODULES = ("fcntl", "grp", "posix", "pwd", "pty", "resource", "termios", "tty")
"""Modules of the standard library that Windows has not."""
POSIX_NAMES = {
    "os": {
        "O_DIRECTORY", "O_NOFOLLOW", "chown", "fork", "getpgid", "getuid", "geteuid", "getgid", "killpg", "kill", "mkfifo", "pread",
        "pwrite", "register_at_fork", "rename", "sched_getaffinity", "sched_setaffinity", "setpgid", "setsid", "statvfs", "sysconf",
        "uname", "waitpid", "WNOHANG",
    },
    "signal": {"SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2", "setitimer", "pause"},
    "socket": {"AF_UNIX"},
    "time": {"tzset"},
}  # fmt: skip
"""What Windows has not, or has with another meaning: os.kill(pid, 0) sends Ctrl-C there, os.rename does not replace."""
REFUSED_THERE = {"engines/server_process.py", "engines/server_supervisor.py"}
"""Starts servers, and says on Windows that it cannot."""
ASKED_FIRST = {
    "tenet/runs/lock.py": {"register_at_fork"},
    "tenet/pipeline/process.py": {"killpg"},
    "engines/vllm_process.py": {"sched_getaffinity", "sched_setaffinity"},
}
"""Where `hasattr` comes first."""


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_what_only_posix_has_is_asked_for_first() -> None:
    found: dict[str, set[str]] = {}
    for name, tree in parsed():
        for node in ast.walk(tree):
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if named and node.attr in POSIX_NAMES.get(node.value.id, ()):
                found.setdefault(name, set()).add(node.attr)
    assert {name: names for name, names in found.items() if name not in REFUSED_THERE} == ASKED_FIRST
    for name, names in ASKED_FIRST.items():
        assert f'hasattr(os, "{sorted(names)[0]}")' in (ROOT / name).read_text(encoding="utf-8")


def test_text_that_is_written_has_the_same_line_ends_everywhere() -> None:
    careless = [
        f"{name}:{node.lineno}"
        for name, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _writes_text(node) and "newline" not in {word.arg for word in node.keywords}
    ]
    assert not careless


def _writes_text(call: ast.Call) -> bool:
    """Whether it is Path.write_text, or an open for writing text of another file than the null device."""
    words = {word.arg for word in call.keywords}
    if not isinstance(call.func, ast.Attribute) or "encoding" not in words or "devnull" in ast.unparse(call):
        return False
    mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
    return call.func.attr == "write_text" or (call.func.attr == "open" and bool({"w", "a", "x", "+"} & set(str(mode))))


IMPORTED = """
import builtins, importlib, importlib.util, pkgutil, sys

blocked, packages = set(sys.argv[1].split()), sys.argv[2].split()
plain = builtins.__import__

def importing(name, globals=None, locals=None, fromlist=(), level=0):
    asks = (globals or {}).get("__name__", "").partition(".")[0]
    if asks in packages and name in blocked:
        raise ImportError(f"{name}: not on this system")
    return plain(name, globals, locals, fromlist, level)

builtins.__import__ = importing
count = 0
for package in packages:
    for found in pkgutil.walk_packages([package], package + "."):
        if found.name not in ("tenet.__main__", "engines.server_supervisor"):
            importlib.import_module(found.name)
            count += 1
print(count)
"""


def test_every_module_imports_without_what_only_posix_has() -> None:
    packages = "tenet constitution judges engines generate"  # train imports torch: there the test above must do
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, " ".join(POSIX_MODULES), packages], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 300


def test_every_file_can_be_checked_out_on_windows_and_macos() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=ROOT, check=False).stdout.decode()
    names = [name for name in listed.split("\0") if name]
    if not names:
        pytest.skip("not a git checkout")
    assert len({name.lower() for name in names}) == len(names)
    assert not [name for name in names if set(name) & set('<>:"|?*\\') or len(name) > 140]
    assert not [name for name in names if any(part[-1] in ". " for part in PureWindowsPath(name).parts)]
    assert not [name for name in names if PureWindowsPath(name).stem.lower() in ("con", "prn", "aux", "nul", "com1")]
