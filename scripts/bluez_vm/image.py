"""The disk image that the machine's Python runs from: interpreter, product, BlueZ, what they need, and no more.

The machine sees this system's files too, over 9p; but there every look at a file is a round trip through an emulated
device that nothing remembers, and a program that imports hundreds of modules takes a minute to start. So the lane's
processes live in this image (chroot(2)), whose pages the kernel keeps.
"""

from __future__ import annotations

import compileall
import py_compile
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path

PRODUCT = "microcurrent-companion"
PACKAGES = ("companion", "rig", "protocols")

_NOT_NEEDED = frozenset({"numpy", "textual"})  # large, and for nothing that a session without a screen does
_NOT_LIBRARY = frozenset({"site-packages", "test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo"})
_SPARE = 1.4  # an image as large as its files has no room for their inodes

PROGRAMS = ("bluetoothd", "btmon", "dbus-daemon", "dbus-send")
_FOLDERS = ("artefacts", "dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "usr/share", "var/lib/bluetooth")
_ACCOUNTS = {"etc/passwd": "root:x:0:0:root:/run:/bin/sh\n", "etc/group": "root:x:0:\n"}
_ZONES = Path("/usr/share/zoneinfo")

_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""

_BLUETOOTHD = """\
[General]
Name=lane

[Policy]
AutoEnable=true
"""


def build(image: Path, scratch: Path, root: Path, find: Callable[[str], str | None]) -> None:
    """Make the image ``image``.

    Args:
        image: the file to make.
        scratch: an empty folder for what goes into it.
        root: the product's folder.
        find: gives the path of a program.

    Raises:
        subprocess.CalledProcessError: the file system could not be made.
        OSError: a file could not be copied.
    """
    for folder in _FOLDERS:
        (scratch / folder).mkdir(parents=True)
    _copy_library(scratch / "python")
    _copy_programs(scratch, find)
    for found in closure(PRODUCT):
        _copy_distribution(found, scratch / "site")
    for package in (*PACKAGES, "scripts/bluez_vm"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / package, scratch / "product" / package, ignore=ignored)
    # The image is read-only, so what is not compiled now would be compiled anew by every process in the machine.
    compileall.compile_dir(
        scratch / "product",
        quiet=2,
        stripdir=str(scratch),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    _copy_shared_libraries(scratch)
    megabytes = int(_SPARE * _size(scratch) / 2**20) + 16
    image.unlink(missing_ok=True)
    options = ("-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-i", "4096", "-d", scratch)
    maker = find("mke2fs") or "mke2fs"
    subprocess.run([maker, *options, image, f"{megabytes}M"], check=True, capture_output=True)


def closure(name: str) -> Iterator[Distribution]:
    """Yield the installed distribution of that name and all that it needs, without extras."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        one = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if one in seen or one in _NOT_NEEDED:
            continue
        seen.add(one)
        try:
            found = distribution(one)
        except PackageNotFoundError:
            continue  # for another platform
        yield found
        waiting.extend(
            re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in found.requires or () if "extra ==" not in need
        )


def _copy_distribution(found: Distribution, target: Path) -> None:
    for file in found.files or ():
        source = Path(str(found.locate_file(file)))
        if ".." in file.parts or not source.is_file():
            continue
        _copy_to(source, target / file)
        # Not every installer lists what was compiled.
        if source.suffix == ".py" and (compiled := Path(cache_from_source(str(source)))).is_file():
            _copy_to(compiled, target / file.parent / "__pycache__" / compiled.name)


def _copy_to(source: Path, place: Path) -> None:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)


def _copy_library(target: Path) -> None:
    """Copy the interpreter of this environment with its standard library, as it lies beside it."""
    base = Path(sysconfig.get_config_var("installed_base"))
    library = Path(sysconfig.get_path("stdlib"))
    name = f"python{sysconfig.get_python_version()}"

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {
            one
            for one in names
            if one in _NOT_LIBRARY
            or one.startswith("config-")
            or one.endswith((".opt-1.pyc", ".opt-2.pyc"))
            or (folder.endswith("__pycache__") and f".{_tag()}." not in one)
        }

    shutil.copytree(library, target / "lib" / name, ignore=ignored, symlinks=True)
    (target / "bin").mkdir()
    shutil.copy2((base / "bin" / name).resolve(), target / "bin" / "python")
    for shared in (base / "lib").glob(f"libpython{sysconfig.get_python_version()}*.so*"):
        shutil.copy2(shared, target / "lib")


def _copy_programs(target: Path, find: Callable[[str], str | None]) -> None:
    for name in PROGRAMS:
        shutil.copy2(Path(find(name) or name).resolve(), target / "usr" / "bin" / name)
    for path, text in {**_ACCOUNTS, "etc/lane-bus.conf": _BUS, "etc/lane-bluetooth.conf": _BLUETOOTHD}.items():
        (target / path).write_text(text, encoding="utf-8")
    if _ZONES.is_dir():
        (target / "usr/share/zoneinfo").mkdir()
        shutil.copy2(_ZONES / "UTC", target / "usr/share/zoneinfo" / "UTC")


def _copy_shared_libraries(target: Path) -> None:
    """Copy what the programs and extension modules are linked with, to where the loader looks for it."""
    linked = [path for path in target.rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path)]
    found = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=False)  # 1: one is static
    for library in shared_libraries(found.stdout):
        place = target / library.relative_to("/")
        if not library.is_relative_to(target) and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library, place)  # follows links: the loader asks for the name that ldd tells


def shared_libraries(ldd: str) -> set[Path]:
    """Return the files that the loader takes, of what ``ldd`` prints."""
    return {Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", ldd, flags=re.MULTILINE)}


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _tag() -> str:
    return f"cpython-{sysconfig.get_config_var('py_version_nodot')}"


def _size(folder: Path) -> int:
    return sum(4096 + path.stat().st_size for path in folder.rglob("*") if not path.is_symlink())
