"""The wheel carries what the repository does: nothing is forgotten, nothing comes along."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, which says which files belong to the package")
    listed = subprocess.run(["git", "ls-files", "fermobile"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = set(listed.stdout.split())
    source, out = tmp_path / "source", tmp_path / "out"
    for name in (*files, "pyproject.toml", "README.md", "LICENSE"):  # a copy: building leaves folders behind
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(out), str(source)], check=True)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == files
