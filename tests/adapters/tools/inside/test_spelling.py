"""Misspellings of whole repositories: what codespell says, as its owner calls it, of words that are nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.tools.inside.owners_codespell import Unclear
from adapters.tools.inside.spelling import misspellings


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str | bytes]], list[str]]:
    """Write files; the words found in them, in order."""

    def found(files: dict[str, str | bytes]) -> list[str]:
        for path, content in files.items():
            place = tmp_path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.chdir(tmp_path)
        return sorted(str(each["word"]) for each in misspellings(frozenset(["vendor"]), frozenset()))

    return found


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("tool.js", "const recieve = 1;\n"),
        ("tool.go", "func onRecieve() {}\n"),
        ("tool.c", "int recieve_all(void);\n"),
        ("data.json", '{"recieve": 1}\n'),
        ("tests/test_text.py", 'assert "we recieve" in text\n'),
        ("p.py", 'if kind == "recieve":\n    pass\n'),
        ("cli.py", 'parser.add_argument("--x", help="what we recieve")\n'),
        ("docs/recieve.rst", "Text.\n"),
        ("guide.md", "## Recieve\n\nText.\n"),
        ("CHANGELOG.md", "- thanks to Ned of recieve\n"),
        ("words.utf16", "recieve".encode("utf-16")),
        ("large.csv", b"x" * 9_000_000 + b" recieve"),
    ],
)
def test_a_word_that_stands_anywhere_else_is_no_misspelling(tree, path, content):
    """Names of every language, keys, strings, headings, files: whatever is not running text."""
    assert ["seperate"] == tree({"README.md": "We recieve it. They seperate it.\n", path: content})


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a.md": "Claus is the first, and they seperate it.\n"}, ["seperate"]),
        ({"a.md": "Recieve it when you recieve it.\n"}, ["Recieve", "recieve"]),
        ({"p.py": '"""Recieve names."""\n'}, ["Recieve"]),
        ({"p.py": '"""Claus names."""\n'}, []),
        ({"p.py": '"""We recieve it."""\n', "q.py": "print(p.f.__doc__)\n"}, []),
        ({"p/__init__.py": "", "p/prompt.md": "We recieve it.\n"}, []),
        ({"help.md": "We recieve it.\n", "p.py": 'open("help.md")\n'}, []),
        ({"README.md": "We recieve it.\n", "setup.py": 'open("README.md")\n'}, ["recieve"]),
        ({".codespellrc": "[codespell]\nskip = ./docs/old\n", "docs/old/a.md": "We recieve it.\n"}, []),
        ({".codespellrc": "[codespell]\nignore-regex = We .* it\n", "a.md": "We recieve it.\n"}, []),
        ({"pyproject.toml": '[tool.codespell]\nskip = ["a.md"]\n', "a.md": "We recieve it.\n"}, []),
        ({"setup.cfg": "[codespell]\nbuiltin = rare\n", "a.md": "We recieve it.\n"}, []),
        ({"a.md": "We automatize it.\n"}, []),
        ({"a.md": "We automatize it.\n", "setup.cfg": "[codespell]\n"}, ["automatize"]),
        ({"a.md": "We automatize it.\n", "pyproject.toml": "[tool.codespell]\n"}, ["automatize"]),
        ({".hidden/a.md": "We recieve it.\n"}, []),
        ({"a.md": "Who writes that we recieve it, and means\nthat we receive it, is helped.\n"}, []),
        ({"hatch.toml": 'x = "codespell --skip docs"\n', "docs/a.md": "We recieve it.\n"}, []),
        ({"lefthook.yml": "x:\n  run: codespell --skip docs\n", "docs/a.md": "We recieve it.\n"}, []),
        ({"setup.cfg": "[codespell]\ncheck-hidden =\n", ".hidden/a.md": "We recieve it.\n"}, ["recieve"]),
        ({"p.py": '"""We recieve it."""\n', "tests/help/a.txt": "We recieve it.\n"}, []),
        ({"docs/a.md": "We recieve it.\n", "a.go": "//go:embed docs\nvar a embed.FS\n"}, []),
        ({"docs/a.md": "We recieve it.\n", "a.py": "p.glob('*.md')\n"}, []),
        ({"docs/a.md": "We recieve it.\n", "a.py": "p.glob('*.rst')\n"}, ["recieve"]),
        ({"a.md": "<!-- cspell:disable -->\n\nWe recieve it.\n", "b.md": "They seperate it.\n"}, ["seperate"]),
        ({"a.md": "We recieve it.\n\n<!-- vale off -->\n"}, []),
        ({"typos.toml": "[files]\nextend-exclude = ['docs/']\n", "docs/a.md": "We recieve it.\n"}, []),
        ({"pyproject.toml": "[tool.typos.files]\nextend-exclude = ['a.md']\n", "a.md": "We recieve it.\n"}, []),
        ({"cspell.json": '{"ignorePaths": ["**/a.md"]} // why\n', "a.md": "We recieve it.\n"}, []),
        ({"cspell.json": '{// why\n\t"ignorePaths": ["b.md"]}\n', "a.md": "We recieve it.\n"}, ["recieve"]),
        ({"package.json": '{"cspell": {"ignorePaths": ["a.md"]}}\n', "a.md": "We recieve it.\n"}, []),
        ({"a.txt": "It says:\n\nWe recieve it.\n"}, []),
        ({"Makefile": "a:\n\tcodespell --ignore-regex 'We .* it'\n", "a.md": "We recieve it.\n"}, []),
        ({"tox.ini": "[codespell]\nexclude-file = lines\n", "lines": "We recieve it.", "a.md": "We recieve it."}, []),
    ],
)  # fmt: skip
def test_names_readers_and_the_owners_settings(tree, files, found):
    """In whole repositories."""
    assert found == tree(files)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({".codespellrc": "[codespell]\nignore-words = .wordlist\n"}, "cannot find ignore-words file: .wordlist"),
        ({".codespellrc": "[codespell]\nno-such-option = 1\n"}, "unrecognized arguments: --no-such-option"),
        ({".codespellrc": "[codespell]\nexclude-file = gone\n"}, "No such file or directory: 'gone'"),
        ({".codespellrc": "[codespell]\nbuiltin = no-such\n"}, "Unknown builtin dictionary: no-such"),
        ({".codespellrc": "[codespell]\nignore-regex = (\n"}, "invalid --ignore-regex"),
        ({".codespellrc": "[codespell]\n[codespell]\n"}, "section 'codespell' already exists"),
        ({"pyproject.toml": "[tool.codespell\n"}, "settings for codespell cannot be read"),
        ({"Makefile": "a:\n\tcodespell --skip=$(SKIP)\n"}, "Makefile"),
        ({"_typos.toml": "[files\n"}, "_typos.toml is not valid TOML"),
        ({".cspell.json": '{"ignorePaths": [\n'}, ".cspell.json cannot be read"),
    ],
)
def test_a_look_that_did_not_happen_is_no_look(tree, files, reason):
    """Codespell's status and messages are read."""
    with pytest.raises((Unclear, OSError), match=re.escape(reason)):
        tree({"a.md": "We recieve it.\n"} | files)
