"""Inside the sandbox: a package's archive, compared with its lock file, and its own words on licence and changes."""

import base64
import email.parser
import gzip
import hashlib
import io
import json
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_LARGEST_FILE = 2 << 20
_LARGEST_WHOLE = 200 << 20
_MOST_MEMBERS = 50_000
_MOST_NOTES = 1500
_MOST_LINES = 30
_LONGEST_LABEL = 80
_DEEPEST = 3
_LICENCE = re.compile(r"^(un)?licen[cs]e([.-].*)?$|^copying([.-].*)?$", re.IGNORECASE)
_NOTES = re.compile(r"^(changes?|change-?log|history|news|release[-_]?notes)(\.(md|rst|txt|markdown))?$", re.IGNORECASE)
_FACTS = {"uv": ("PKG-INFO", "METADATA"), "npm": ("package.json",), "cargo": ("Cargo.toml",), "go": ()}
_TEXTS = (
    ("Apache-2.0", "apache license version 2.0"),
    ("MPL-2.0", "mozilla public license version 2.0"),
    ("AGPL-3.0", "gnu affero general public license version 3"),
    ("LGPL", "gnu lesser general public license"),
    ("GPL-3.0", "gnu general public license version 3"),
    ("GPL-2.0", "gnu general public license version 2"),
    ("BSD-3-Clause", "redistribution and use in source and binary forms neither the name"),
    ("BSD-2-Clause", "redistribution and use in source and binary forms"),
    ("ISC", "permission to use, copy, modify, and/or distribute this software"),
    ("MIT", "permission is hereby granted, free of charge"),
    ("Unlicense", "this is free and unencumbered software released into the public domain"),
)


class NotKnown(Exception):
    """Why something could not be found out."""


def about(kind: str, body: bytes, package: dict[str, str]) -> dict[str, str]:
    """What a package says of itself.

    Returns ``{"licence": label or "", "text": digest of its licence's words or "", "notes": of this version}``.

    Raises:
        NotKnown: it is not the archive that the lock file names, or none that can be read.
    """
    if not package["digest"]:
        raise NotKnown("the lock file holds no digest of it")
    # Nothing of other bytes is opened, where that can be told before.
    members = dict(_members(body)) if package["digest"].startswith("h1:") else {}
    if not matches(body, package["digest"], members):
        raise NotKnown("other bytes than the lock file says")
    members = members or dict(_members(body))
    facts = _nearest(members, lambda name: name in _FACTS[kind])
    text = _words(_nearest(members, _LICENCE.match))
    try:
        label = _LABELS[kind](facts) or _guessed(text)
    except (ValueError, AttributeError, TypeError, RecursionError) as problem:
        raise NotKnown("what it says of itself cannot be read") from problem
    return {
        "licence": " ".join(label.split())[:_LONGEST_LABEL],
        "text": hashlib.sha256(text.encode()).hexdigest() if text else "",
        "notes": _notes(_nearest(members, _NOTES.match), package["version"]),
    }


def matches(body: bytes, digest: str, members: Mapping[str, bytes]) -> bool:
    """Whether an archive is the one of a lock file's digest: ``sha256:hex``, ``sha512-base64 …``, ``h1:base64``."""
    if digest.startswith("h1:"):
        lines = [f"{hashlib.sha256(each).hexdigest()}  {name}\n" for name, each in sorted(members.items())]
        return digest == "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()
    if digest.startswith("sha256:"):
        return digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
    stated = [
        each.partition("-") for each in digest.split() if each.partition("-")[0] in {"sha512", "sha384", "sha256"}
    ]
    return any(base64.b64encode(hashlib.new(name, body).digest()).decode() == expected for name, _, expected in stated)


def _members(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Ordinary files of an archive: all of a zip, the small ones of a tar; nothing is written anywhere."""
    try:
        if body[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                files = [each for each in archive.infolist() if not each.is_dir()]
                if sum(each.file_size for each in files) > _LARGEST_WHOLE or len(files) > _MOST_MEMBERS:
                    raise NotKnown("it unpacks to more than is looked at")
                yield from ((each.filename, archive.read(each)) for each in files)
            return
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            whole = packed.read(_LARGEST_WHOLE + 1)
        if len(whole) > _LARGEST_WHOLE:
            raise NotKnown("it unpacks to more than is looked at")
        with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as archive:
            for count, each in enumerate(archive):
                if count > _MOST_MEMBERS:
                    raise NotKnown("it holds more files than are looked at")
                if each.isfile() and each.size <= _LARGEST_FILE and (file := archive.extractfile(each)):
                    yield each.name, file.read()
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, RuntimeError) as problem:
        raise NotKnown("its archive cannot be read") from problem


def _nearest(members: Mapping[str, bytes], wanted: Callable[[str], object]) -> str:
    """The text of the file nearest to the top whose name is wanted; empty: there is none."""
    # A Go module's name is a path of its own within the archive: the version ends it.
    depths = {name: len(re.sub(r"^.*?@[^/]*/", "x/", name).split("/")) for name in members}
    found = [name for name in members if depths[name] <= _DEEPEST + 1 and wanted(name.rpartition("/")[2])]
    nearest = min(found, key=lambda name: (depths[name], name), default="")
    return members[nearest][:_LARGEST_FILE].decode("utf-8", "replace") if nearest else ""


def _words(text: str) -> str:
    """A licence without who holds the copyright since when."""
    kept = (line for line in text.lower().splitlines() if "copyright" not in line or len(line) > _LONGEST_LABEL * 2)
    return " ".join(" ".join(kept).split())


def _guessed(text: str) -> str:
    def holds(words: str) -> bool:
        return all(part in text.replace(",", "") for part in words.replace(",", "").split(" neither "))

    return next((label for label, words in _TEXTS if holds(words)), "")


def _of_python(text: str) -> str:
    metadata = email.parser.HeaderParser().parsestr(text)
    if stated := metadata.get("License-Expression"):
        return str(stated)
    classes = [
        str(each).rpartition("::")[2].strip() for each in metadata.get_all("Classifier", []) if "License ::" in each
    ]
    first = str(metadata.get("License") or "").strip()
    return first if first and len(first) <= _LONGEST_LABEL and "\n" not in first else " / ".join(sorted(classes))


def _of_node(text: str) -> str:
    manifest: dict[str, Any] = json.loads(text or "{}")
    stated = manifest.get("license") or manifest.get("licenses") or ""
    listed = stated if isinstance(stated, list) else [stated]
    return " OR ".join(str(each.get("type", "")) if isinstance(each, dict) else str(each) for each in listed)


def _of_crate(text: str) -> str:
    manifest = tomllib.loads(text).get("package", {})
    return str(manifest.get("license") or manifest.get("license-file") or "")


_LABELS: dict[str, Callable[[str], str]] = {
    "uv": _of_python,
    "npm": _of_node,
    "cargo": _of_crate,
    "go": lambda _text: "",
}


def _notes(text: str, version: str) -> str:
    """The part of a list of changes that is about one version; empty: it is not found there."""
    plain = re.escape(version.removeprefix("v"))
    lines = text.splitlines()
    heading = re.compile(rf"^\W{{0,6}}(version |release )?\[?v?{plain}(?![\w.]*\d)", re.IGNORECASE)
    another = re.compile(r"^\W{0,6}(version |release )?\[?v?\d+\.\d+[\w.]*", re.IGNORECASE)
    start = next((at for at, line in enumerate(lines) if heading.match(line)), None)
    if start is None:
        return ""
    notes = []
    for line in lines[start + 1 :]:
        if another.match(line) and not line.startswith((" ", "\t")):
            break
        if line.strip() and not re.fullmatch(r"\W+", line.strip()):
            notes.append(line.rstrip())
    return "\n".join(notes[:_MOST_LINES])[:_MOST_NOTES]
