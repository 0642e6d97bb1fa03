"""Which paths a repository's own regular expressions match, found out by a child that can be killed.

One of them may take for ever, and nothing else of a process would go on meanwhile, its heartbeats and the brake
included. Run as a program it is the child: standard library only (``python -I``).
"""

import json
import re
import sys


def main() -> int:
    """Read paths and questions from standard input, print the answers."""
    payload = json.load(sys.stdin)
    try:
        answers = [_matching(needed, refused, payload["paths"]) for needed, refused in payload["asked"]]
    except (re.error, RecursionError, OverflowError) as problem:
        json.dump({"problem": f"cannot be read: {problem}"}, sys.stdout)
        return 0
    json.dump({"problem": "", "answers": answers}, sys.stdout)
    return 0


def _matching(needed: list[str], refused: list[str], paths: list[str]) -> list[int]:
    all_of, none_of = ([re.compile(pattern) for pattern in patterns] for patterns in (needed, refused))
    return [
        number
        for number, path in enumerate(paths)
        if all(each.search(path) for each in all_of) and not any(each.search(path) for each in none_of)
    ]


if __name__ == "__main__":
    sys.exit(main())
