"""A command's own copy of a folder, put into its tree before it starts."""

import subprocess
from pathlib import Path, PurePosixPath

from policies.counted import shortened
from ports.sandbox import SandboxUnavailable


def put_copy(source: Path, tree: Path, inside: str) -> None:
    """Copy ``source`` to the relative path ``inside`` of ``tree``, which may be hostile: no link of it is followed.

    By coreutils: they share blocks where the disk can, copy links as links, and no depth stops them.

    Raises:
        SandboxUnavailable: something of the tree stands there or in place of a folder above it, or the disk is full.
    """
    place = tree
    *above, name = PurePosixPath(inside).parts
    for part in above:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise SandboxUnavailable(f"{inside} is put into the tree, but the tree holds a link or file in its way")
        place.mkdir(exist_ok=True)
    place /= name
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        place.rmdir()  # how a checkout shows a submodule
    if place.is_symlink() or place.exists():
        raise SandboxUnavailable(f"{inside} is put into the tree, but the tree has its own: see `environment.keep`")
    copying = ["cp", "-a", "--reflink=auto", "--no-target-directory", "--", str(source), str(place)]
    done = subprocess.run(copying, capture_output=True, env={"PATH": "/usr/bin:/bin"}, check=False)
    if done.returncode:
        output = shortened(done.stderr.decode(errors="replace").strip(), 500)
        raise SandboxUnavailable(f"{inside} could not be copied into the tree: {output}")
