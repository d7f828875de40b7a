"""Debian's own adbd for aarch64 under emulation: what was built against the stand-in holds for the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench_util import SCRIPTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: The daemon listens on every interface without asking who calls, so it gets a network of its own.
NAMESPACE = """
set -e
"$PYTHON" - <<'END'
import fcntl, socket, struct
with socket.socket() as s:  # lo up: SIOCSIFFLAGS, IFF_UP
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))
END
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
chroot "$ROOT" /usr/bin/env -i PATH=/system/bin HOME=/data/local/tmp /usr/sbin/adbd >"$ROOT/log" 2>&1 &
export ADBD=$!
for _ in {1..300}; do # an adb server looks for devices on this machine once, when it starts
    (: </dev/tcp/127.0.0.1/5555) 2>/dev/null && break
    sleep 0.2
done
trap 'adb kill-server' EXIT
"$PYTHON" -c "$CALLS"
"""

#: What the benchmark asks of a device.
CALLS = """
import os, time
from pathlib import Path
from fermobile.bench import adb
for _ in range(100):
    if [d.state for d in adb.list_devices()] == ["device"]:
        break
    time.sleep(0.2)
device = adb.choose()
assert device.check("uname", "-m").strip() == "aarch64"
assert device.run("sh", "-c", "echo why >&2; exit 7").status == 7
for word in ("a b", "it's", "$(id)", ";", "ä顔", "-n"):
    assert device.check("printf", "%s|", "x", word).strip() == f"x|{word}|", word
file = Path(os.environ["FILE"])
kept = device.keep(file)
assert device.fetch(kept) == file.read_bytes()
adb.Device._push = None  # a second run sends nothing
assert device.keep(file) == kept
with device.folder() as folder:
    device.check("cp", kept, f"{folder}/it's here")
    assert device.fetch(f"{folder}/it's here") == file.read_bytes()
assert device.run("ls", folder).status != 0
os.kill(int(os.environ["ADBD"]), 9)
try:
    device.check("true")
except adb.LostDevice:
    print("all held")
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An aarch64 root folder with adbd, Android's shell and its tools."""
    if os.getuid() != 0 or not all(map(shutil.which, ("adb", "qemu-aarch64-static", "apt-get", "unshare"))):
        pytest.skip("needs root, and the Debian packages adb and qemu-user-static")
    if subprocess.run([str(SCRIPTS / "virtual_phone" / "binfmt.sh")], capture_output=True, timeout=30).returncode:
        pytest.skip("needs binfmt_misc, with which the kernel starts aarch64 programs")
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("needs network, mount and process namespaces")
    folder = tmp_path_factory.mktemp("adbd") / "root"
    command = [str(SCRIPTS / "virtual_phone" / "root.sh"), str(folder), "trixie", "adbd", "mksh", "toybox"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    if done.returncode:
        pytest.skip(f"needs Debian's arm64 packages: {done.stderr.strip()[-200:]}")
    for name in ("proc", "dev", "system", "data/local/tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "system/bin").symlink_to("../usr/bin")
    (folder / "usr/bin/sh").symlink_to("mksh")
    tools = subprocess.run(["chroot", str(folder), "/usr/bin/toybox"], capture_output=True, text=True, timeout=60)
    for name in tools.stdout.split():
        if not (folder / "usr/bin" / name).is_symlink() and not (folder / "usr/bin" / name).exists():
            (folder / "usr/bin" / name).symlink_to("toybox")
    return folder


def test_the_real_adbd(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "it's a model.tflite"
    file.write_bytes(os.urandom(3_000_000))
    env = os.environ | {
        "ANDROID_ADB_SERVER_PORT": "5999", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHON": sys.executable,
        "ROOT": str(root), "CALLS": CALLS, "FILE": str(file),
    }  # fmt: skip
    env.pop("ANDROID_SERIAL", None)
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", NAMESPACE]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=250)
    assert done.stdout.strip().endswith("all held"), f"{done.stdout}{done.stderr}{(root / 'log').read_text()}"
