"""The virtual machine: what it needs of this system, its kernel, how it is started, and when it is given up.

Knows Debian's packages, QEMU and virtme-ng. Refuses to know what runs inside. Run as a program it prints the packages
that are missing, for whoever is to install them; it needs nothing but a Python 3 for that, however old.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

KERNEL_PACKAGE = "linux-image-amd64"

PACKAGE_OF: Mapping[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "depmod": "kmod",
    "bluetoothd": "bluez",
    "btmon": "bluez",
    "dbus-daemon": "dbus",
    "dbus-send": "dbus",
    "mke2fs": "e2fsprogs",
    "dpkg-deb": "dpkg",
}
"""What the lane runs, and the Debian package that has it."""

_DAEMONS = ("/usr/sbin", "/sbin", "/usr/libexec/bluetooth", "/usr/lib/bluetooth")
_MODULES = ("bluetooth/hci_vhci.ko", "9p/9p.ko", "ext4/ext4.ko")

# What costs an emulated processor much and gives a machine that runs its own tests nothing: every system call would
# flush the emulator's address cache.
_KERNEL_ARGUMENTS = ("mitigations=off", "nokaslr", "audit=0")
# Without AVX, whose emulation is slower than what it replaces; it has what Python packages are built for (x86-64-v2).
_PROCESSOR = "Nehalem"
# What the kernel would only look for drivers for. Little memory for the same reason: each page of it is made ready.
_WITHOUT = "sata=off,smbus=off,i8042=off,vmport=off"


class Unready(Exception):  # noqa: N818 - what this system is, not an error of the program
    """Something that the lane needs is not there; one line says what, and how to get it."""


def search_path() -> str:
    """Return where programs are looked for: also where Debian keeps its daemons."""
    return os.pathsep.join((os.environ.get("PATH", ""), *_DAEMONS))


def found(program: str) -> str | None:
    """Return the path of a program, or None."""
    return shutil.which(program, path=search_path())


def missing_packages(find: Callable[[str], str | None]) -> list[str]:
    """Return the Debian packages that are not installed, in order; ``find`` gives the path of a program or None."""
    absent = []
    for program, package in PACKAGE_OF.items():
        path = find(program)
        if (path is None or (package == "busybox-static" and not _is_static(Path(path)))) and package not in absent:
            absent.append(package)
    return absent


def check() -> None:
    """See that everything is there.

    Raises:
        Unready: it is not.
    """
    check_computer(sys.platform, platform.machine())
    absent = missing_packages(found)
    if absent:
        raise Unready(f"{', '.join(absent)}: not installed; apt-get install --no-install-recommends {' '.join(absent)}")


def check_computer(system: str, processor: str) -> None:
    """See that this is a computer for which Debian has what the lane needs.

    Raises:
        Unready: it is not.
    """
    if system != "linux" or processor != "x86_64":
        raise Unready(f"the lane boots a Debian kernel on x86-64 Linux; this is {processor} {system}")


def kernel(cache: Path) -> Path:
    """Return a kernel with a Bluetooth stack: of an earlier run, of this system, or unpacked from Debian's package.

    Raises:
        Unready: there is none, and none could be downloaded.
    """
    for folder in (cache, Path("/")):
        for image in sorted((folder / "boot").glob("vmlinuz-*-amd64"), key=_version_of, reverse=True):
            if _has_modules(folder / "lib" / "modules" / image.name.removeprefix("vmlinuz-")):
                return image
    package = _kernel_package(cache)
    scratch = cache / f"unpacking-{os.getpid()}"
    subprocess.run(["dpkg-deb", "--extract", package, scratch], check=True)
    for part in ("lib/modules", "boot"):  # the image last: it says that the rest is complete
        (cache / part).mkdir(parents=True, exist_ok=True)
        for one in sorted((scratch / part).iterdir()):
            if not (cache / part / one.name).exists():
                one.rename(cache / part / one.name)
    shutil.rmtree(scratch)
    return kernel(cache)


def _kernel_package(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    for folder in (cache, Path("/var/cache/apt/archives")):
        kept = sorted(folder.glob("linux-image-*[0-9]-amd64_*_amd64.deb"), key=_version_of, reverse=True)
        if kept:
            return kept[0]
    for refresh in (False, True):
        if refresh:
            subprocess.run(["apt-get", "update", "-qq"], check=False)
        known = subprocess.run(["apt-cache", "depends", KERNEL_PACKAGE], capture_output=True, text=True, check=False)
        name = newest_kernel(known.stdout)
        if name and subprocess.run(["apt-get", "download", "-qq", name], cwd=cache, check=False).returncode == 0:
            return _kernel_package(cache)
    raise Unready(f"{KERNEL_PACKAGE}: cannot be downloaded; apt-get update && apt-get install {KERNEL_PACKAGE}")


def newest_kernel(depends: str) -> str | None:
    """Return the package with the kernel itself, of what ``apt-cache depends linux-image-amd64`` prints."""
    names = re.findall(r"\b(linux-image-\d[\w.+]*(?:-\d+)?-amd64)(?![-\w])", depends)
    return max(names, key=_numbers) if names else None


def command(
    vng: Path, kernel_image: Path, disk: Path, shared: Path, inside: Sequence[str | Path], *, memory: str = "768M"
) -> list[str]:
    """Return how the machine is started: ``disk`` is its read-only first disk, ``shared`` the folder it may write."""
    drive = f"-drive file={disk},if=virtio,format=raw,readonly=on"
    qemu = (drive, f"-cpu {_PROCESSOR}", f"-machine {_WITHOUT}")
    return [
        *(str(vng), "--run", str(kernel_image), "--disable-kvm", "--force-9p", "--user", "root"),
        *("--memory", memory, "--cpus", "2", "--rwdir", str(shared)),
        *(word for argument in _KERNEL_ARGUMENTS for word in ("--append", argument)),
        *(f"--qemu-opts={option}" for option in qemu),
        *("--", shlex.join(str(word) for word in inside)),
    ]


def run(words: Sequence[str], log: Path, limit_s: float, heard: Callable[[str, float], None]) -> bool:
    """Run the machine until it ends; ``heard`` gets each line that it prints and the seconds since its start.

    Returns False where it had to be ended, ``limit_s`` seconds after its start. Standard input is no terminal, which
    virtme-ng would take for its own.
    """
    began = time.monotonic()
    # vng calls programs that are installed beside it
    environment = {**os.environ, "PATH": os.pathsep.join((str(Path(words[0]).parent), search_path()))}
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    ) as process:
        ended = False

        def give_up(*_: object) -> None:
            nonlocal ended
            ended = True
            os.killpg(process.pid, signal.SIGKILL)

        def stop(*_: object) -> None:
            raise SystemExit(128 + signal.SIGTERM)

        before = signal.signal(signal.SIGALRM, give_up)
        before_stop = signal.signal(signal.SIGTERM, stop)  # the machine is in a session of its own, and would live on
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            for line in _lines(process, log):
                heard(line, time.monotonic() - began)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            signal.signal(signal.SIGTERM, before_stop)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return not ended


def _lines(process: subprocess.Popen[bytes], log: Path) -> Iterator[str]:
    assert process.stdout is not None  # noqa: S101 - asked for above
    with log.open("wb") as file:
        for raw in process.stdout:
            file.write(raw)
            file.flush()
            yield raw.decode(errors="replace").rstrip()


def _is_static(program: Path) -> bool:
    """Whether a program needs no dynamic loader: one that does names it in its first page (ELF's PT_INTERP)."""
    with program.open("rb") as file:
        return b"/ld-linux" not in file.read(4096)


def _has_modules(folder: Path) -> bool:
    return all(any(folder.glob(f"kernel/**/{module}*")) for module in _MODULES)


def _version_of(path: Path) -> tuple[int, ...]:
    return _numbers(path.name)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def main() -> int:
    """Print the packages that are missing, on one line; 1 where none would help."""
    try:
        check_computer(sys.platform, platform.machine())
    except Unready as unready:
        print(f"scripts/bluez-vm: {unready}", file=sys.stderr)
        return 1
    print(" ".join(missing_packages(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
