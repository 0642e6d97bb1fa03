"""What each kind of lock file says, which commands change it, and what programs say of known vulnerabilities."""

from __future__ import annotations

import json
from datetime import date

import pytest

from adapters.tools.advisories import READERS, NotTold, advisories
from adapters.tools.inside.archives import _LABELS
from adapters.tools.inside.registries import RELEASES
from adapters.tools.locks import ECOSYSTEMS, Locked, Unreadable, packages
from policies.settings.environment import LOCK_FILES

NPM = {
    "lockfileVersion": 3,
    "packages": {
        "": {"dependencies": {"@a/b": "^1.0.0", "linked": "*"}, "devDependencies": {"c": "~2.0.0"}},
        "node_modules/@a/b": {"version": "1.0.0", "resolved": "http://r/@a/b/-/b-1.0.0.tgz", "integrity": "sha512-x"},
        "node_modules/c": {"version": "2.0.1", "resolved": "http://r/c/-/c-2.0.1.tgz"},
        "node_modules/c/node_modules/d": {"version": "3.0.0", "resolved": "http://r/d/-/d-3.0.0.tgz"},
        "node_modules/e": {"version": "4.0.0", "integrity": "sha512-y"},
        "node_modules/linked": {"resolved": "parts/linked", "link": True},
        "node_modules/of-git": {"version": "1.0.0", "resolved": "git+ssh://host/x.git#1"},
        "parts/linked": {"version": "1.0.0", "dependencies": {"d": "^3.0.0"}},
    },
}
CARGO = """
[[package]]
name = "x"
version = "0.1.0"
dependencies = ["itoa", "two 2.0.0"]
[[package]]
name = "itoa"
version = "1.0.1"
source = "registry+https://index"
checksum = "aa"
[[package]]
name = "two"
version = "1.0.0"
source = "registry+https://index"
checksum = "bb"
[[package]]
name = "two"
version = "2.0.0"
source = "registry+https://index"
checksum = "cc"
[[package]]
name = "of-git"
version = "2.0.0"
source = "git+https://host/x#1"
"""
GO = {
    "go.mod": """module x

go 1.26

require host.x/one v1.5.2

require (
\thost.x/two v1.0.0 // indirect
\thost.x/three v1.0.0
)

replace host.x/three => ./three
""",
    "go.sum": "host.x/one v1.5.2 h1:aa=\nhost.x/one v1.5.2/go.mod h1:bb=\n",
}
UV = """
[[package]]
name = "x"
source = { editable = "." }
[package.dev-dependencies]
dev = [{ name = "one" }]
[[package]]
name = "one"
version = "1.0"
source = { registry = "http://r/simple" }
wheels = [{ url = "http://f/one.whl", hash = "sha256:aa", size = 1 }]
[[package]]
name = "huge"
version = "1.0"
source = { registry = "http://r/simple" }
sdist = { url = "http://f/huge.tgz", hash = "sha256:bb", size = 999999999 }
[[package]]
name = "of-git"
version = "1.0"
source = { git = "https://host/x" }
"""
PYPROJECT = """
[project]
dependencies = ["One>=1", "x[extra] ; python_version > '3'"]
[dependency-groups]
dev = ["two_b~=1.0", { include-group = "other" }]
[tool.poetry.group.docs.dependencies]
three = "^1"
[tool.pdm.dev-dependencies]
dev = ["three"]
"""
LISTED = """
[[package]]
name = "one"
version = "1.0"
files = [{ file = "one-1.0.whl", hash = "sha256:aa" }, { file = "one-1.0.tar.gz", hash = "sha256:bb" }]
[[package]]
name = "two-b"
version = "1.0"
files = [{ file = "two.whl", hash = "sha256:cc" }]
[package.source]
type = "legacy"
url = "http://r/simple"
[[package]]
name = "three"
version = "1.0"
files = [{ url = "http://f/three.whl", hash = "sha256:dd" }]
[[package]]
name = "deep"
version = "1.0"
files = [{ file = "deep.whl", hash = "sha256:ee" }]
[[package]]
name = "of-git"
version = "1.0"
files = [{ file = "deep.whl", hash = "sha256:ee" }]
[package.source]
type = "git"
url = "https://host/x"
[[package]]
name = "itself"
version = "1.0"
path = "."
editable = true
files = []
"""
LISTED_AS = [
    Locked("one", "1.0", True, digest="sha256:aa"),
    Locked("two-b", "1.0", True, "http://r/simple", digest="sha256:cc"),
    Locked("three", "1.0", True, url="http://f/three.whl", digest="sha256:dd"),
    Locked("deep", "1.0", digest="sha256:ee"),
]
PNPM = """lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      '@a/b':
        specifier: ^1.0.0
        version: 1.0.0(c@2.0.1)
    devDependencies:
      c:
        specifier: ~2.0.0
        version: 2.0.1
      linked:
        specifier: workspace:*
        version: link:parts/linked

packages:

  '@a/b@1.0.0':
    resolution: {integrity: sha512-x}
    engines: {node: '>=4'}
    peerDependencies:
      c: ^2.0.0

  c@2.0.1:
    resolution: {integrity: sha512-y}

  d@3.0.0:
    resolution: {integrity: sha512-z}
    deprecated: 'no: more'

  of-git@https://host/x/tar.gz/1:
    resolution: {tarball: https://host/x/tar.gz/1}
    version: 1.0.0

snapshots:

  '@a/b@1.0.0(c@2.0.1)':
    dependencies:
      c: 2.0.1

  d@3.0.0: {}
"""
SAID = {
    "poetry.lock": ({"poetry.lock": LISTED, "pyproject.toml": PYPROJECT}, LISTED_AS),
    "pdm.lock": ({"pdm.lock": LISTED, "pyproject.toml": PYPROJECT}, LISTED_AS),
    "pnpm-lock.yaml": (
        {"pnpm-lock.yaml": PNPM},
        [
            Locked("@a/b", "1.0.0", True, digest="sha512-x"),
            Locked("c", "2.0.1", True, digest="sha512-y"),
            Locked("d", "3.0.0", digest="sha512-z"),
        ],
    ),
    "uv.lock": (
        {"uv.lock": UV},
        [
            Locked("one", "1.0", True, "http://r/simple", "http://f/one.whl", "sha256:aa"),
            Locked("huge", "1.0", False, "http://r/simple"),
        ],
    ),
    "package-lock.json": (
        {"package-lock.json": json.dumps(NPM)},
        [
            Locked("@a/b", "1.0.0", True, "http://r", "http://r/@a/b/-/b-1.0.0.tgz", "sha512-x"),
            Locked("c", "2.0.1", True, "http://r", "http://r/c/-/c-2.0.1.tgz"),
            Locked("d", "3.0.0", False, "http://r", "http://r/d/-/d-3.0.0.tgz"),
            Locked("e", "4.0.0", digest="sha512-y"),
        ],
    ),
    "Cargo.lock": (
        {"Cargo.lock": CARGO},
        [
            Locked("itoa", "1.0.1", True, digest="sha256:aa"),
            Locked("two", "1.0.0", digest="sha256:bb"),
            Locked("two", "2.0.0", True, digest="sha256:cc"),
        ],
    ),
    "go.mod": (GO, [Locked("host.x/one", "v1.5.2", True, digest="h1:aa="), Locked("host.x/two", "v1.0.0")]),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_locked(name):
    """From registries alone, and what of it the project asks for itself."""
    files, expected = SAID[name]
    assert expected == list(packages(ECOSYSTEMS[name], lambda path: files.get(path, ""), name))
    below = {f"web/{path}": text for path, text in files.items()}
    assert expected == list(packages(ECOSYSTEMS[name], lambda path: below.get(path, ""), f"web/{name}"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "package = 1"),
        ("Cargo.lock", "[[package"),
        ("poetry.lock", "package = 1"),
        ("pdm.lock", "[["),
        ("pnpm-lock.yaml", "lockfileVersion: 5.4"),
        ("pnpm-lock.yaml", ""),
        ("package-lock.json", "[]"),
        ("package-lock.json", '{"lockfileVersion": 1}'),
        ("package-lock.json", "[" * 100_000),
    ],
)
def test_what_is_no_lock_file_is_not_read(name, text):
    """Also the form of npm 6, which says less."""
    with pytest.raises(Unreadable):
        packages(ECOSYSTEMS[name], lambda _: text, name)


def test_names_that_could_be_options_or_places_are_left_out():
    """They would stand in commands and addresses."""
    text = CARGO.replace('"itoa"\n', '"--config"\n').replace('"1.0.0"', '"1.0.0 ../.."')
    assert ["2.0.0"] == [each.version for each in packages(ECOSYSTEMS["Cargo.lock"], lambda _: text, "Cargo.lock")]


def test_each_kind_has_all_its_rows():
    """A lock file that is understood half would be said to be whole."""
    assert LOCK_FILES.keys() == ECOSYSTEMS.keys()
    kinds = {each.kind for each in ECOSYSTEMS.values()}
    assert kinds == RELEASES.keys() == _LABELS.keys()
    assert READERS.keys() == {each.audit("")[0] for each in ECOSYSTEMS.values()}


UNTIL = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("uv.lock", "", "uv lock --no-python-downloads --upgrade-package a==1.1"),
        ("uv.lock", "w", "uv --directory w lock --no-python-downloads --upgrade-package a==1.1"),
        (
            "package-lock.json",
            "w",
            ("npm --prefix w update a --package-lock-only --ignore-scripts --no-audit --no-fund --before=2026-11-20"),
        ),
        ("poetry.lock", "w", "poetry --directory w --no-interaction update --lock a"),
        (
            "pdm.lock",
            "w",
            ("env PDM_PYTHON=/env/bin/python PDM_CHECK_UPDATE=0 pdm update --project w --no-sync --update-reuse a"),
        ),
        ("pnpm-lock.yaml", "w", "pnpm --dir w update a --lockfile-only --no-save --ignore-scripts"),
        ("go.mod", "", "go get a@1.1 && go mod tidy"),
        ("Cargo.lock", "w", "cargo update --manifest-path w/Cargo.toml -p a@1.0 --precise 1.1"),
    ],
)
def test_the_ecosystems_own_command_changes_it(name, folder, expected):
    """One package, to one version; npm knows none but until when."""
    made = ECOSYSTEMS[name].update(folder, Locked("a", "1.0"), "1.1", UNTIL)
    assert expected == " && ".join(" ".join(argv) for argv in made)


NPM_AUDIT = {
    "vulnerabilities": {
        "a": {"via": [{"source": 1, "name": "a", "title": "Bad", "url": "https://h/advisories/GHSA-1"}]},
        "b": {"via": ["a"]},
    }
}
PNPM_AUDIT = {"advisories": {"1": {"module_name": "a", "github_advisory_id": "GHSA-1", "title": "Bad"}}}
GOVULNCHECK = (
    '{"config": {"protocol_version": "v1"}}\n{"osv": {"id": "GO-1", "summary": "Bad"}}\n'
    '{"finding": {"osv": "GO-1", "trace": [{"module": "host.x/one", "version": "v1.5.2"}]}}\n'
)
CARGO_AUDIT = {
    "vulnerabilities": {
        "list": [{"advisory": {"id": "RUSTSEC-1", "title": "Bad"}, "package": {"name": "a", "version": "1.0.0"}}]
    }
}
PIP_AUDIT = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "P-1", "aliases": ["CVE-1"]}]}]}


@pytest.mark.parametrize(
    ("program", "said", "expected"),
    [
        ("pip-audit", json.dumps(PIP_AUDIT), ("a", "1", "CVE-1", "")),
        ("npm", json.dumps(NPM_AUDIT), ("a", "", "GHSA-1", "Bad")),
        ("pnpm", json.dumps(PNPM_AUDIT), ("a", "", "GHSA-1", "Bad")),
        ("govulncheck", GOVULNCHECK, ("host.x/one", "v1.5.2", "GO-1", "Bad")),
        ("cargo-audit", json.dumps(CARGO_AUDIT), ("a", "1.0.0", "RUSTSEC-1", "Bad")),
    ],
)
def test_known_vulnerabilities_as_their_programs_print_them(program, said, expected):
    """In one form."""
    [found] = advisories(program, said.encode())
    assert expected == (found.package, found.version, found.identifier, found.summary)


@pytest.mark.parametrize(
    ("program", "said", "says"),
    [
        ("pnpm", '{"error": {"code": "ERR_PNPM_AUDIT_BAD_RESPONSE"}}', "BAD_RESPONSE"),
        ("npm", '{"message": "405 Method Not Allowed"}', "405 Method"),
        ("npm", '{"error": {"code": "ENOLOCK"}}', "ENOLOCK"),
        ("govulncheck", "", "nothing that says it looked"),
        ("govulncheck", '{"config": {}} {', "cannot be read"),
        ("cargo-audit", "{}", "cannot be read"),
        ("pip-audit", "", "cannot be read"),
    ],
)
def test_what_is_no_answer_is_never_an_empty_list(program, said, says):
    """As npm, which ends with 0 or 1 also where it could not ask."""
    with pytest.raises(NotTold, match=says):
        advisories(program, said.encode())
