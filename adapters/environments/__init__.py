"""Check environments: of wheels, or prepared by a target's commands; the repository runs in the sandbox alone.

wheels.py                 WheelEnvironments: prepare and install, cached by digest
requirements.py           what the base commit says it needs
requirement_files.py      requirement files, and what is refused in them
setup_files.py            setup.cfg, setup.py and PKG-INFO, read without running them
uv.py                     uv in a closed environment
package_build.py          builds the package of a tree inside the sandbox
declared_requirements.py  What a repository says it needs to be tested. Read as text, parsed, never executed (P8)
kept.py                   what is kept is made once, held in use, and evicted by last use
prepared.py               PreparedEnvironments: `prepare` in the sandbox, kept by digest, used offline, evicted
online.py                 a command with the network of `environment.hosts`
prepare_words.py          what a failed `prepare` means, and what to do
submodules.py             the submodules of a base, in the trees that are run in
lfs.py                    the git LFS files of a base, shown in place of their pointers
lfs_server.py             one LFS server, asked for objects by their digests
allow_list.py             the proxy of ours that lets a preparing sandbox reach named hosts
forwarder.py              runs inside: loopback ports that lead to sockets of ours
"""
