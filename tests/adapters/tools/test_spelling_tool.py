"""codespell on prose, and on nothing that is not prose."""

from __future__ import annotations

import pytest

from adapters.tools.source_tree import SourceTree
from adapters.tools.spelling import may_be_corrected

COMMENTS, DOCS = ("codespell", "comments"), ("codespell", "docs")


def test_comments_and_docstrings_are_corrected_at_their_place(repo):
    """The word changes, the bytes around it do not: line ends, letters, code."""
    text = '"""Größe is a comparision."""\r\n\r\nX = "comparison"  # This is naïve, it is the comparision.\r\n'
    made = repo({"p.py": text.encode()})
    made.code(made.contract(*COMMENTS))
    expected = '"""Größe is a comparison."""\r\n\r\nX = "comparison"  # This is naïve, it is the comparison.\r\n'
    assert expected.encode() == (made.tree / "p.py").read_bytes()
    assert set() == made.fixable()


def test_comments_of_other_languages_are_corrected_at_their_place(repo):
    """In the sandbox, with the grammars there."""
    go = "package a\r\n\r\n// Größe is what\r\n// we recieve.\r\nvar a = 1 /* They seperate it. */\r\n"
    made = repo({"a.go": go.encode(), "b.ts": "// They seperate it.\nconst b: number = 1;\n"})
    contract = made.contract(*COMMENTS)
    made.code(contract)
    assert (
        go.replace("recieve", "receive").replace("seperate", "separate").encode() == (made.tree / "a.go").read_bytes()
    )
    assert {"a.go", "b.ts"} == made.changed()
    assert made.review(contract).approve


def test_documents_are_corrected_outside_of_code(repo):
    """A word that also stands in fences, indented blocks, quotations, paths or addresses is one of the program's."""
    kept = "```\noccured\n```\n\n    occured it\n\nCall `occured` or occured() at x/occured or occured@example.org.\n"
    made = repo({"README.md": f"We recieve it, it has occured.\n\n{kept}", "docs/größe.rst": "They seperate it,\n"})
    made.code(made.contract(*DOCS))
    assert f"We receive it, it has occured.\n\n{kept}" == (made.tree / "README.md").read_text()
    assert "They separate it,\n" == (made.tree / "docs/größe.rst").read_text()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("p.py", 'X = "we recieve it"\n'),
        ("p.py", 'X = (\n    "we recieve it"\n    "seperate"\n)\n'),
        ("p.py", "def recieve():\n    # Here we recieve it.\n    return 1\n"),
        ("p.py", "def recieve():\n    # Recieve: we recieve it.\n    return 1\n"),
        ("p.py", "on_recieve = 1\n# We recieve it.\n"),
        ("p.py", '"""Doc.\n\n>>> print("x")\nwe recieve it\n"""\n'),
        ("p.py", "# recieve = 1\n"),
        ("p.py", "def f(:\n    # We recieve it.\n"),
        ("p.py", "# Here is RECIEVE and RecieveThing and clas.\n"),
        ("LICENSE.txt", "We recieve it.\n"),
        ("requirements.txt", "recieve\n"),
        ("locale/de.txt", "recieve\n"),
        ("tests/data/input.txt", "We recieve it.\n"),
        ("data.json", '{"recieve": 1}\n'),
        ("poetry.lock", "recieve\n"),
        ("README.md", "we recieve it".encode("utf-16")),
    ],
)
def test_what_is_no_prose_is_left_alone(repo, path, content):
    """Names, data, code, examples and legal texts are not spelled by us."""
    assert set() == repo({path: content}).fixable()


def test_the_repositorys_own_word_list_counts(repo):
    """An ignored word is ignored."""
    assert (
        set() == repo({"setup.cfg": "[codespell]\nignore-words-list = recieve\n", "a.md": "We recieve it.\n"}).fixable()
    )


def test_a_hostile_configuration_cannot_make_looking_write(repo):
    """Codespell's own writing and asking is off."""
    made = repo({".codespellrc": "[codespell]\nwrite-changes =\ninteractive = 3\n", "a.md": "We recieve it.\n"})
    assert {(*DOCS, "a.md")} == made.fixable()
    assert set() == made.changed()


def test_only_the_scope_is_corrected(repo):
    """A file that is not in the contract keeps its mistakes."""
    made = repo({"a.md": "We recieve it.\n", "b.md": "We recieve it.\n"})
    contract = made.contract(*DOCS)
    scope = contract.scope.model_copy(update={"allowed_paths": ("a.md",)})
    made.code(contract.model_copy(update={"scope": scope}))
    assert {"a.md"} == made.changed()
    assert {(*DOCS, "b.md")} == made.fixable()


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("README.md", True),
        ("docs/how-to.md", True),
        ("docs/en/a.md", True),
        ("pkg/m.py", True),
        ("README.de.md", False),
        ("README_zh-CN.md", False),
        ("docs/fr/a.md", False),
        ("HISTORY.md", False),
        ("docs/content/2024-news.md", False),
        ("CHANGELOG.rst", False),
        ("docs/changelog.d/1.md", False),
        ("docs/release-notes/1.md", False),
        ("word_list.txt", False),
        ("tests/golden/a.py", False),
        ("pkg/test_a.py", False),
        ("examples/data/a.md", False),
        ("AUTHORS.md", False),
        ("licenses/MIT.txt", False),
        ("third-party-licenses.md", False),
        ("THIRD_PARTY_NOTICES.txt", False),
        ("docs/eula.md", False),
        ("docs/releases/1.0.rst", False),
        ("docs/v2.1.md", False),
        ("prompts/a.md", False),
        ("system_prompt.md", False),
        ("public/a.txt", False),
        ("__fixtures__/a.md", False),
        ("docs/lang/fr.md", False),
        ("docs/terms-of-use.md", False),
        ("docs/class.md", True),
        ("docs/claims.md", True),
        ("docs/outputs.md", True),
    ],
)
def test_files_that_people_write_in_english(tmp_path, path, may):
    """Histories quote, data is read by programs, translations have their own spelling."""
    assert may == may_be_corrected(SourceTree(tmp_path), path)


def test_the_text_of_a_licence_is_quoted_whatever_its_file_is_called(tmp_path):
    """And a document that names one is none."""
    for path, said in {
        "mit.txt": "Permission is hereby granted to you.",
        "a.md": "It is under the MIT licence.",
    }.items():
        (tmp_path / path).write_text(said)
    tree = SourceTree(tmp_path)
    assert (False, True) == (may_be_corrected(tree, "mit.txt"), may_be_corrected(tree, "a.md"))


def test_a_look_that_did_not_happen_is_no_look(repo):
    """Codespell's status is read: the tool is named as missing, with the reason in one line."""
    findings, missing = repo(
        {"a.md": "We recieve it.\n", ".codespellrc": "[codespell]\nignore-words = gone\n"}
    ).detect()
    assert ((), ("codespell: ERROR: cannot find ignore-words file: gone",)) == (findings, missing)
