"""Known vulnerabilities, as pip-audit, npm, pnpm, yarn, govulncheck and cargo-audit print them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from contracts.dependency import Advisory
from policies.counted import shortened

_LONGEST = 200
_MOST = 500


class NotTold(Exception):
    """What a program printed is no answer: it could not look; says why."""


def advisories(program: str, body: bytes) -> tuple[Advisory, ...]:
    """What a program printed, each once, in the order of their names.

    Raises:
        NotTold: it is no answer.
    """
    try:
        found = list(READERS[program](body.decode("utf-8", "replace")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise NotTold(f"what it printed cannot be read ({type(problem).__name__})") from problem
    return tuple(sorted(dict.fromkeys(found), key=lambda each: (each.package, each.identifier))[:_MOST])


def _advisory(package: str, version: str, identifier: str, summary: object) -> Advisory:
    plain = shortened(" ".join(str(summary or "").split()), _LONGEST)
    return Advisory(package=package, version=version, identifier=str(identifier)[:60], summary=plain)


def _of_pip_audit(text: str) -> Iterator[Advisory]:
    for each in json.loads(text)["dependencies"]:
        if reason := each.get("skip_reason"):
            raise NotTold(f"it left out {each['name']}: {shortened(str(reason), _LONGEST)}")
        for one in each["vulns"]:
            named = [other for other in one.get("aliases", []) if str(other).startswith("CVE-")]
            yield _advisory(each["name"], each["version"], (named or [one["id"]])[0], one.get("description"))


def _of_npm(text: str) -> Iterator[Advisory]:
    whole = json.loads(text)
    if "vulnerabilities" not in whole:
        raise NotTold(shortened(str(whole.get("message") or whole.get("error") or "it gave no list"), _LONGEST))
    for name, each in whole["vulnerabilities"].items():
        # A word alone says that another package in the list is to blame.
        for one in (via for via in each["via"] if isinstance(via, dict)):
            place = str(one.get("url", ""))
            yield _advisory(one.get("name", name), "", place.rpartition("/")[2] or str(one["source"]), one.get("title"))


def _of_pnpm(text: str) -> Iterator[Advisory]:
    whole = json.loads(text)
    if "advisories" not in whole:
        raise NotTold(shortened(str(whole.get("error") or "it gave no list"), _LONGEST))
    for one in whole["advisories"].values():
        identifier = one.get("github_advisory_id") or str(one.get("url", "")).rpartition("/")[2] or one["id"]
        yield _advisory(one["module_name"], "", identifier, one.get("title"))


def _of_yarn(text: str) -> Iterator[Advisory]:
    """A line each: of yarn 1 as npm once had them, of the newer ones each below its package."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    found = [each["data"]["advisory"] for each in lines if each.get("type") == "auditAdvisory"]
    for one in found:
        yield _advisory(one["module_name"], "", one.get("github_advisory_id") or str(one["id"]), one.get("title"))
    newer = [each for each in lines if "children" in each]
    for each in newer:
        one = each["children"]
        identifier = str(one.get("URL", "")).rpartition("/")[2] or str(one["ID"])
        yield _advisory(each["value"], "", identifier, one.get("Issue"))
    if not (found or newer or any(each.get("type") == "auditSummary" for each in lines)):
        told = next((each.get("data") for each in lines if each.get("type") == "error"), "it gave no list")
        raise NotTold(shortened(" ".join(str(told).split()), _LONGEST))


def _of_govulncheck(text: str) -> Iterator[Advisory]:
    known, found, begun = dict[str, str](), list[tuple[str, str, str]](), False
    for each in _stream(text):
        begun = begun or "config" in each
        if entry := each.get("osv"):
            known[entry["id"]] = entry.get("summary", "")
        if entry := each.get("finding"):
            first = entry["trace"][0]
            found.append((first["module"], first.get("version", ""), entry["osv"]))
    if not begun:
        raise NotTold("it printed nothing that says it looked")
    for module, version, identifier in found:
        yield _advisory(module, version, identifier, known.get(identifier))


def _stream(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    while (rest := text[at:].lstrip()) and (at := len(text) - len(rest)) < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value


def _of_cargo_audit(text: str) -> Iterator[Advisory]:
    for each in json.loads(text)["vulnerabilities"]["list"]:
        package, entry = each["package"], each["advisory"]
        yield _advisory(package["name"], package["version"], entry["id"], entry.get("title"))


READERS: dict[str, Callable[[str], Iterator[Advisory]]] = {
    "pip-audit": _of_pip_audit,
    "npm": _of_npm,
    "pnpm": _of_pnpm,
    "yarn": _of_yarn,
    "govulncheck": _of_govulncheck,
    "cargo-audit": _of_cargo_audit,
}
