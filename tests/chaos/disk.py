"""A disk that gets full: a small tmpfs, where that may be mounted."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PAGE = 4096


class SmallDisk:
    """A file system of its own on a folder, as far as that is allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = False

    def mount(self) -> None:
        """Put it there, with room enough."""
        if os.geteuid() == 0:
            options = ["-t", "tmpfs", "-o", "size=16m", "tmpfs"]
            self.is_mounted = _run("mount", *options, str(self.folder))

    def shrink(self, pages: int) -> None:
        """Leave room for a few pages more than are used.

        :param pages: How many, of 4 KiB each.
        """
        stat = os.statvfs(self.folder)
        used = stat.f_blocks - stat.f_bfree
        self._resize(f"{(used * stat.f_frsize) + pages * PAGE}")

    def grow(self) -> None:
        """Make room again."""
        self._resize("16m")

    def unmount(self) -> None:
        """Take it away. What is on it is copied beside it."""
        if self.is_mounted:
            copy = self.folder.with_name(f"{self.folder.name}-copy")
            shutil.copytree(self.folder, copy)
            _run("umount", str(self.folder))
            self.is_mounted = False

    def _resize(self, size: str) -> None:
        if self.is_mounted:
            _run("mount", "-o", f"remount,size={size}", str(self.folder))


def _run(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
