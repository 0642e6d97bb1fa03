"""Check environments: wheels only, read from the base commit, never executing the repository outside the sandbox.

wheels.py                 WheelEnvironments: prepare and install, cached by digest
requirements.py           what the base commit says it needs
requirement_files.py      requirement files, and what is refused in them
setup_files.py            setup.cfg, setup.py and PKG-INFO, read without running them
uv.py                     uv in a closed environment
package_build.py          builds the package of a tree inside the sandbox
declared_requirements.py  What a repository says it needs to be tested. Read as text, parsed, never executed (P8)
"""
