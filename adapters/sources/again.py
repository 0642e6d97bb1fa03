"""Runs inside the sandbox: makes records of recorded answers again, and prints the digest of each, in order.

``/work/order.json`` lists files, each with its source's name and format; ``/work/sources.json`` has the entries.
"""

import hashlib
import json
import sys
from pathlib import Path


def main(tree: Path) -> None:
    """Of an answer that says nothing the digest is empty."""
    from policies.settings.sources import SourcePolicy  # noqa: PLC0415  # shown inside alone
    from policies.source.records import NotReadable, records_of  # noqa: PLC0415

    sources = json.loads((tree / "sources.json").read_bytes())
    digests = []
    for file, name, form in json.loads((tree / "order.json").read_bytes()):
        try:
            found = records_of((tree / file).read_bytes(), form, SourcePolicy.model_validate(sources[name]))
            digests.append(hashlib.sha256(found.written()).hexdigest())
        except NotReadable:
            digests.append("")
    print(json.dumps(digests))  # noqa: T201  # the answer


if __name__ == "__main__":
    sys.path[:0] = ["/opt/autonomy/again", "/opt/autonomy/site"]
    main(Path("/work"))
