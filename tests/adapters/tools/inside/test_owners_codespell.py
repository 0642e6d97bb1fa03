"""What the owner's own calls of codespell leave out, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.tools.inside.owners_codespell import Unclear, calls, skipped

HOOK = "repos:\n- repo: https://example.invalid/codespell\n  rev: v2\n  hooks:\n  - id: codespell\n"


def seen(folder: Path, files: dict[str, str], path: str) -> bool:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for name in ("src/a.py", "docs/old/a.md", "docs/a.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return calls(sorted(files)).look_at(path)


@pytest.mark.parametrize(
    ("files", "looked_at"),
    [
        ({}, True),
        ({".pre-commit-config.yaml": HOOK}, True),
        ({".pre-commit-config.yaml": HOOK + "    exclude: ^docs/old/\n"}, False),
        ({".pre-commit-config.yaml": "exclude: old/\n" + HOOK}, False),
        ({".pre-commit-config.yaml": HOOK + "    files: ^src/\n"}, False),
        ({".pre-commit-config.yaml": HOOK + "    types: [python]\n"}, False),
        ({".pre-commit-config.yaml": HOOK + "    types_or: [python, markdown]\n"}, True),
        ({".pre-commit-config.yaml": HOOK + "    exclude_types: [markdown]\n"}, False),
        ({".pre-commit-config.yaml": HOOK + "    args: ['--skip=docs/old']\n"}, False),
        ({".pre-commit-config.yaml": HOOK + "    args: [-S, './docs/old/*']\n"}, False),
        ({".pre-commit-config.yaml": HOOK.replace("id: codespell", "id: x\n    entry: codespell -S old")}, False),
        ({".pre-commit-config.yaml": HOOK.replace("id: codespell", "id: black")}, True),
        ({"tox.ini": "[testenv:spell]\ndeps = codespell\ncommands = codespell --skip docs/old .\n"}, False),
        ({"tox.ini": "[testenv:spell]\ndeps =\n    codespell\ncommands =\n    codespell src\n"}, False),
        ({"tox.ini": "[codespell]\nskip = docs/old\n"}, False),
        ({"setup.cfg": "[codespell]\nskip = docs/old\n\n[tox]\ncommands = codespell\n"}, False),
        ({"Makefile": "spell:\n\t@codespell -S docs/old src docs\n"}, False),
        ({"Makefile": "spell:\n\tcodespell src && codespell docs/a.md\n"}, False),
        ({"Makefile": "spell:\n\tcodespell \\\n\t  --skip=docs/old\n"}, False),
        ({"Makefile": "# codespell --skip=docs/old\nall:\n\tpip install codespell ruff\n"}, True),
        ({"noxfile.py": 'def spell(session):\n    session.run("codespell", "--skip", "docs/old")\n'}, False),
        ({"package.json": '{"scripts": {"spell": "codespell -S docs/old"}}\n'}, False),
        ({"pyproject.toml": '[tool.hatch.envs.lint.scripts]\nspell = "codespell --skip=docs/old"\n'}, False),
        ({".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n    - run: codespell --skip=docs/old\n"}, False),
        ({".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n    - name: codespell check\n      run: x\n"}, True),
        (
            {".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n    - uses: codespell-project/actions-codespell@v2\n"
             "      with:\n        skip: docs/old\n"},
            False,
        ),
        (
            {".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n    - uses: codespell-project/actions-codespell@v2\n"
             "      with:\n        path: src\n"},
            False,
        ),
    ],
)  # fmt: skip
def test_what_no_call_looks_at_or_one_skips(tmp_path, monkeypatch, files, looked_at):
    """``docs/old/a.md``, seen by the owner's calls."""
    monkeypatch.chdir(tmp_path)
    assert looked_at == seen(tmp_path, files, "docs/old/a.md")


@pytest.mark.parametrize(
    "pattern",
    [
        "docs/old",
        "./docs/old",
        "docs/old/",
        "./docs/old/*",
        "docs/old/**",
        "*/old/*",
        "old",
        "*.md",
        "a.md",
        "docs",
        "x,old",
    ],
)
def test_every_spelling_of_a_skipped_path(pattern):
    """Walking, codespell takes other spellings than for files that it is given; the owner means all."""
    assert skipped("docs/old/a.md", [pattern])
    assert not skipped("src/b.py", [pattern])


@pytest.mark.parametrize(
    "files",
    [
        {".pre-commit-config.yaml": "repos: [codespell\n"},
        {".pre-commit-config.yaml": HOOK + "    args: [--no-such-option]\n"},
        {".pre-commit-config.yaml": HOOK + "    exclude: '('\n"},
        {"Makefile": "spell:\n\tcodespell --skip=$(SKIP)\n"},
        {"Makefile": "spell:\n\tcodespell --skip $(SKIP)\n"},
        {"noxfile.py": 'def spell(session):\n    session.run("codespell", "--skip", SKIP)\n'},
    ],
)
def test_what_cannot_be_told_is_said(tmp_path, monkeypatch, files):
    """Never a guess: an unreadable list may hold any file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unclear, match=next(iter(files)).replace(".", r"\.")):
        seen(tmp_path, files, "docs/a.md")
