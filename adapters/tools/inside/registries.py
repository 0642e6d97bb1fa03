"""Inside the sandbox: what a registry says of its packages, and what packages say of themselves; all within bounds.

``registries.py REQUEST``: a JSON file ``{"ask": "releases" | "about", "kind", "hosts", "seconds", "packages"}``, each
package with ``name``, ``version``, and of the lock file ``registry``, ``url`` and ``digest``. Prints JSON: to
``name version`` the answer, or ``{"problem": why there is none}``. What is not there is never an empty answer.
"""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

sys.path.append("/opt/autonomy/lib")

from adapters.tools.inside.archives import NotKnown, about

_LARGEST_ANSWER = 48 << 20
_LARGEST_ARCHIVE = 30 << 20
_PATIENCE = 20
_AT_ONCE = 6
_MOST_RELEASES = 2000
_MOST_ASKED_ONE_BY_ONE = 10
_SIMPLE = "application/vnd.pypi.simple.v1+json"
_WAYS = {404: "it is not there", 410: "it is gone", 429: "the registry limits the rate: try again later"}
_PIECE = 1 << 16
_HTTPS = "443"

_Package = dict[str, str]
_Releases = list[tuple[str, str, bool]]
"""Version, ISO time or empty, whether it was taken back."""


def read_all(read: Callable[[], bytes], most: int) -> bytes:
    """All pieces, of at most so many bytes, within a minute."""
    until, pieces, size = time.monotonic() + 3 * _PATIENCE, [], 0
    while piece := read():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise NotKnown(f"the answer is larger than {most >> 20} MiB")
        if time.monotonic() > until:
            raise NotKnown("the registry is too slow")
    return b"".join(pieces)


def fetch(url: str, most: int, accept: str = "*/*") -> bytes:
    """The body of an answer, of at most so many bytes, within a minute."""
    if not url.startswith(("https://", "http://")):
        raise NotKnown("it is not to be had by HTTP")
    request = urllib.request.Request(  # noqa: S310  # the proxy lets nothing but the list through
        url, headers={"Accept": accept, "User-Agent": "autonomy-runbook"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
            return read_all(lambda: answer.read(_PIECE), most)
    except urllib.error.HTTPError as refusal:
        raise NotKnown(_WAYS.get(refusal.code, f"the registry answers {refusal.code}")) from refusal
    except (OSError, ValueError, HTTPException) as problem:
        reason = getattr(problem, "reason", problem)
        if "403 Refused" in str(reason):
            place = urllib.parse.urlsplit(url)
            asked_for = f"{place.hostname}:{place.port or (443 if place.scheme == 'https' else 80)}"
            text = f"it asked for {asked_for}, which `environment.hosts` does not list: add it if it is right"
            raise NotKnown(text) from problem
        raise NotKnown(f"the registry cannot be reached: {str(reason)[:150]}") from problem


def read_json(body: bytes) -> Any:
    """An answer that is JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise NotKnown("the registry's answer cannot be read") from problem


def places(hosts: list[str]) -> Iterator[str]:
    """Addresses of the hosts that may be asked."""
    for each in hosts:
        name, _, port = each.partition("=")[0].rpartition(":")
        yield f"https://{name}" if port == _HTTPS else f"http://{name}:{port}"


# Each kind of registry.


def of_uv(package: _Package, around: _Package) -> _Releases:
    """A simple index, in its form as JSON."""
    files = _files_of(package, around)
    times: dict[str, str] = {}
    back: dict[str, bool] = {}
    for file in files.get("files", []):
        version = _version_of(file["filename"])
        at = file.get("upload-time") or ""
        times[version] = min(times.get(version) or at, at)
        back[version] = bool(file.get("yanked")) and back.get(version, True)
    return [(version, times[version], back[version]) for version in times if version]


def _files_of(package: _Package, around: _Package) -> dict[str, Any]:
    """A package's page; where its lock file names no index, of the first host that has one."""
    name = package["name"] if package["registry"] else re.sub(r"[-_.]+", "-", package["name"]).lower()
    stated = [package["registry"]] if package["registry"] else [f"{each}/simple" for each in around["places"].split()]
    for index in stated:
        page = f"{index.rstrip('/')}/{name}/"
        try:
            reply: dict[str, Any] = read_json(fetch(page, _LARGEST_ANSWER, _SIMPLE))
        except NotKnown:
            if package["registry"]:
                raise
            continue
        reply["page"] = page
        return reply
    raise NotKnown("its lock file names no index, and none of `environment.hosts` has it")


def _python_archive(package: _Package, around: _Package) -> str:
    """Of a lock file without addresses: what the index has under the lock file's digest."""
    files = _files_of(package, around)
    for file in files.get("files", []):
        if f"sha256:{file.get('hashes', {}).get('sha256')}" == package["digest"]:
            return urllib.parse.urljoin(str(files["page"]), str(file["url"]))
    raise NotKnown("the registry has no file of it with the lock file's digest")


def _version_of(filename: str) -> str:
    if filename.endswith(".whl"):
        return [*filename.split("-"), ""][1]
    stem = re.sub(r"\.(tar\.(gz|bz2|xz)|tgz|zip)$", "", filename)
    return stem.rpartition("-")[2] if stem != filename else ""


def of_npm(package: _Package, around: _Package) -> _Releases:
    """The document of a package."""
    reply = read_json(fetch(f"{_place(package, around)}/{package['name'].replace('/', '%2f')}", _LARGEST_ANSWER))
    times = reply.get("time", {})
    return [
        (version, times.get(version, ""), bool(facts.get("deprecated")))
        for version, facts in reply["versions"].items()
        if "-" not in version
    ]


def _integrity(package: _Package, around: _Package) -> str:
    """What the registry says of an archive: yarn's newer lock files have digests of what it makes of them alone."""
    name = package["name"].replace("/", "%2f")
    reply = read_json(fetch(f"{_place(package, around)}/{name}/{package['version']}", _LARGEST_ANSWER))
    return str(reply["dist"]["integrity"])


def _place(package: _Package, around: _Package) -> str:
    return (package["registry"] or around["registry"]).rstrip("/")


def of_cargo(package: _Package, around: _Package) -> _Releases:
    """A sparse index: a line a version."""
    name = package["name"].lower()
    folder = {1: "1", 2: "2", 3: f"3/{name[:1]}"}.get(len(name), f"{name[:2]}/{name[2:4]}")
    lines = fetch(f"{around['index']}/{folder}/{name}", _LARGEST_ANSWER).splitlines()
    reply = [read_json(line) for line in lines if line.strip()]
    return [
        (each["vers"], each.get("pubtime") or "", bool(each.get("yanked"))) for each in reply if "-" not in each["vers"]
    ]


def of_go(package: _Package, around: _Package) -> _Releases:
    """A module proxy; times of the highest versions of this major alone."""
    place = f"{around['proxy']}/{_escaped(package['name'])}/@v"
    listed = fetch(f"{place}/list", _LARGEST_ANSWER).decode("utf-8", "replace").split()
    plain = sorted((each for each in listed if "-" not in each), key=_numbers, reverse=True)
    near = [each for each in plain if _numbers(each)[:1] == _numbers(package["version"])[:1]]
    newest = fetch(f"{place}/{plain[0]}.mod", 1 << 20).decode("utf-8", "replace") if plain else ""
    back = tuple(_retracted(newest))
    known = dict.fromkeys(plain[:1] + near[:_MOST_ASKED_ONE_BY_ONE] + [package["version"]])
    found = []
    for version in known:
        at = read_json(fetch(f"{place}/{version}.info", 1 << 20)).get("Time", "")
        taken_back = any(low <= _numbers(version) <= high for low, high in back)
        found.append((version, at, taken_back))
    return found


def _escaped(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"!{found[0].lower()}", name)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version.partition("-")[0].partition("+")[0])[:3])


def _retracted(text: str) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """What a module's newest go.mod says should not be used: pairs of the lowest and the highest."""
    text = re.sub(r"//.*", "", text)
    stated = "\n".join(
        re.findall(r"^retract\s*\((.*?)\)", text, re.DOTALL | re.MULTILINE)
        + re.findall(r"^retract\s+([^(\s].*)$", text, re.MULTILINE)
    )
    for low, high, alone in re.findall(r"\[\s*(v\S+?)\s*,\s*(v\S+?)\s*\]|(v[\d.][\w.+-]*)", stated):
        yield _numbers(low or alone), _numbers(high or alone)


RELEASES: dict[str, Callable[[_Package, _Package], _Releases]] = {
    "uv": of_uv,
    "npm": of_npm,
    "cargo": of_cargo,
    "go": of_go,
}


def surroundings(kind: str, hosts: list[str]) -> _Package:
    """What of a registry no lock file names: asked of npm and Go themselves, found among the hosts for cargo."""
    if kind == "npm":
        return {"registry": _said("npm", "config", "get", "registry")}
    if kind == "go":
        proxies = [each for each in re.split(r"[,|\s]", _said("go", "env", "GOPROXY")) if each.startswith("http")]
        if not proxies:
            raise NotKnown("go names no proxy to ask (`go env GOPROXY`)")
        return {"proxy": proxies[0].rstrip("/")}
    if kind == "cargo":
        for place in places(hosts):
            try:
                reply = read_json(fetch(f"{place}/config.json", 1 << 20))
                return {"index": place, "crates": reply["dl"]}
            except (NotKnown, KeyError, TypeError):
                continue
        raise NotKnown("none of `environment.hosts` answers as a sparse index of crates")
    return {"places": " ".join(places(hosts))}


def _said(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, check=False).stdout.decode().strip()
    except OSError as problem:
        raise NotKnown(f"{argv[0]} could not be started") from problem


def archive_of(kind: str, package: _Package, around: _Package) -> str:
    """Where a package's own archive is."""
    name, version = package["name"], package["version"]
    if kind == "go":
        return f"{around['proxy']}/{_escaped(name)}/@v/{_escaped(version)}.zip"
    if kind == "cargo":
        place = around["crates"]
        return place.format(crate=name, version=version) if "{" in place else f"{place}/{name}/{version}/download"
    if kind == "npm" and not package["url"]:
        return f"{_place(package, around)}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    if kind == "uv" and not package["url"]:
        return _python_archive(package, around)
    return package["url"]


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """Every package's answer; what there was no time for says so."""
    until = time.monotonic() + request["seconds"]
    try:
        unnamed = request["kind"] in {"go", "cargo"} or not all(each.get("registry") for each in request["packages"])
        around = surroundings(request["kind"], request["hosts"]) if unnamed else {}
    except NotKnown as problem:
        return {f"{each['name']} {each['version']}": {"problem": str(problem)} for each in request["packages"]}

    def one(package: _Package) -> dict[str, Any]:
        if time.monotonic() > until:
            return {"problem": "there was no time left to ask"}
        try:
            if request["ask"] == "about":
                url = archive_of(request["kind"], package, around)
                if request["kind"] == "npm" and not (package["digest"] or package["url"]):
                    package = package | {"digest": _integrity(package, around)}
                return about(request["kind"], fetch(url, _LARGEST_ARCHIVE), package)
            found = RELEASES[request["kind"]](package, around)
            return {"releases": sorted(found, key=lambda each: each[1])[-_MOST_RELEASES:]}
        except NotKnown as problem:
            return {"problem": str(problem)}
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as problem:
            return {"problem": f"the registry's answer is not what one says: {type(problem).__name__}"}

    with ThreadPoolExecutor(_AT_ONCE) as several:
        answers = list(several.map(one, request["packages"]))
    named = (f"{each['name']} {each['version']}" for each in request["packages"])
    return dict(zip(named, answers, strict=True))


if __name__ == "__main__":
    print(json.dumps(answered(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))  # noqa: T201  # the answer
