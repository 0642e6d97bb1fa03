"""Which comments of other languages are prose, and what may change in a file beside them: nothing."""

import os
from pathlib import Path

import pytest

from adapters.tools.inside import code_text
from adapters.tools.inside.documents import unequal_comments
from adapters.tools.inside.imported_names import Repository
from adapters.tools.inside.owners_codespell import TAGS
from adapters.tools.inside.running_text import words
from adapters.tools.tool_runner import GUESTS

PROSE = [
    ("a.go", "package a\n\n// Foo tells what we recieve.\nfunc Foo() {}\n"),
    ("a.go", "package a\n\nvar x = 1 // It is what we recieve.\n"),
    ("a.go", "package a\n\n/*\nFoo is long.\n\nIt tells what we\nrecieve.\n*/\nfunc Foo() {}\n"),
    ("a.go", "package a\r\n\r\n// Foo tells what\r\n// we recieve.\r\nfunc Foo() {}\r\n"),
    ("a.rs", "//! A crate that tells what we recieve.\n\nfn a() {}\n"),
    ("a.rs", "/// Tells what we recieve.\n#[derive(Debug, Clone)]\n#[must_use]\npub struct A;\n"),
    ("a.rs", "#[derive(Parser)]\nstruct A;\n\n/// Tells what we recieve.\nfn a() {}\n"),
    ("a.rs", "#[derive(Parser)]\nstruct A {\n    // It is what we recieve.\n    x: u8,\n}\n"),
    ("a.js", "/**\n * Tells what we recieve.\n *\n * @param {string} x The thing.\n */\nfunction a(x) {}\n"),
    ("a.jsx", "const a = <b>{/* It is what we recieve. */}</b>;\n"),
    ("a.ts", "// It is what we recieve.\nconst a: number = 1;\n"),
    ("a.tsx", "// It is what we recieve.\nconst a = <b x={1}/>;\n"),
    ("A.java", "/** Tells what we recieve. */\n@Deprecated\nclass A {\n}\n"),
    ("a.c", "/* It is what we recieve. */\nint a(void) { return 0; }\n"),
    ("a.h", "/* It is what\n   we recieve. */\nclass A { public: int b; };\n"),
    ("a.cpp", "// It is what we recieve.\ntemplate <typename T> T a() { return T{}; }\n"),
    ("a.c", "MACRO(int) a(b) { /* It is what we recieve. */ }\nEND_OF(\n"),
    ("a.sh", "#!/bin/sh\n# It is what we recieve.\ncat <<E\nx\nE\n"),
    ("a.toml", "[a]\n# It is what we recieve.\nb = 1\n"),
    ("a.yml", "a: 1  # It is what we recieve.\nb: 2\n"),
]
NO_PROSE = [
    ("a string", "a.go", 'package a\n\nvar x = "It is what we recieve."\n'),
    ("a raw string", "a.go", "package a\n\nvar x = `\n// It is what we recieve.\n`\n"),
    ("cgo", "a.go", '// It is what we recieve.\npackage a\n\nimport "C"\n'),
    ("kubebuilder", "a.go", "package a\n\n// A is what we recieve.\n// +kubebuilder:object\ntype A struct{}\n"),
    ("swag", "a.go", "package a\n\n// A is what we recieve.\n// @Summary foo\nfunc A() {}\n"),
    ("a directive", "a.go", "package a\n\n//go:generate It is what we recieve.\nfunc A() {}\n"),
    ("expected output", "a.go", "package a\n\nfunc A() {\n\t// Output:\n\t// It is what we recieve.\n}\n"),
    ("help by derive", "a.rs", "/// Tells what we recieve.\n#[derive(Debug, Parser)]\nstruct A;\n"),
    ("help of a field", "a.rs", "#[derive(clap::Args)]\nstruct A {\n    /// It is what we recieve.\n    x: u8,\n}\n"),
    ("in a macro", "a.rs", "bitflags! {\n    /// It is what we recieve.\n    const A = 1;\n}\n"),
    ("a method of Python", "a.rs", "#[pymethods]\nimpl A {\n    /// It is what we recieve.\n    fn a() {}\n}\n"),
    ("an example", "a.rs", "/// Tells it.\n///\n/// ```text\n/// A\n///\n/// We recieve it.\n/// ```\nfn a() {}\n"),
    ("an annotation", "A.java", "/** Tells what we recieve. */\n@ConfigurationProperties\nclass A {\n}\n"),
    ("inside of it", "A.java", '@Schema(name = "a")\nclass A {\n    /** It is what we recieve. */\n    int a;\n}\n'),
    ("a decorator", "a.ts", "/** Tells what we recieve. */\n@Entity()\nexport class A {}\n"),
    ("a tag", "a.js", "/**\n * Tells it.\n * @param x It is what we recieve.\n */\nfunction a(x) {}\n"),
    ("a schema", "a.js", "/**\n * Tells what we recieve.\n * @swagger\n * x: y\n */\nfunction a(x) {}\n"),
    ("text of a function", "a.js", "var a = function () {/*\nIt is what we recieve.\n*/}.toString();\n"),
    ("kept by a minifier", "a.js", "/*!\n * It is what we recieve.\n */\nfunction a(x) {}\n"),
    ("a regular expression", "a.js", "var a = /[/*]It is what we recieve. */;\n"),
    ("a template", "a.js", "var a = `\n// It is what we recieve.\n`;\n"),
    ("a licence", "a.c", "/* This Software is what we recieve.\n   There is no warranty. */\nint a;\n"),
    ("a here-document", "a.sh", "cat <<E\n# It is what we recieve.\nE\n"),
    ("its own help", "a.sh", "# It is what we recieve.\nsed -n 's/^# //p' \"$0\"\n"),
    ("a block scalar", "a.yml", "a: |\n  # It is what we recieve.\n  b\n"),
    ("a value", "a.toml", 'a = """\n# It is what we recieve.\n"""\n'),
    ("what does not parse", "a.go", "package a\n\n// It is what we recieve.\nfunc {\n"),
    ("a string beside macros", "a.c", 'MACRO(int) a(b) { char *a = "/* It is what we recieve. */"; }\nEND_OF(\n'),
    ("a raw string beside macros", "a.c", 'END_OF(\nchar *a = R"(\n// It is what we recieve.\n)";\n'),
    ("a linter's word", "a.cc", "// NOLINT because it is what we recieve.\nint a;\n"),
    ("no sentence", "a.c", "/* recieve the thing */\nint a;\n"),
    ("other languages", "a.js", "// Die recieve ist nicht das, was wir haben.\nvar a;\n"),
    ("no text", "a.c", "// It is what we recieve.\n\udcff"),
    ("a page", "a.vue", "<script>\n// It is what we recieve.\n</script>\n"),
]  # fmt: skip


NO_SENTENCE = {"no sentence", "other languages", "a page"}
"""Nothing reads these; they are no English."""


def found(path: str, source: str) -> list[str]:
    """The words of its comments, as the look takes them."""
    given = (words(each, sentences_only=True) for each in code_text.paragraphs(path, source))
    return [word.text for some in given for word in some if word.text == "recieve"]


@pytest.mark.parametrize(("path", "source"), PROSE)
def test_sentences_of_comments_are_prose(path, source):
    """In every language that has a row."""
    assert (["recieve"], "") == (found(path, source), code_text.problem(path, source))


@pytest.mark.parametrize(("what", "path", "source"), NO_PROSE)
def test_what_a_program_may_read_is_no_prose(what, path, source):
    """Strings, directives, help texts, schemas, examples, licences; and whatever cannot be told."""
    assert not found(path, source)


@pytest.mark.parametrize(("path", "source"), PROSE)
def test_words_of_comments_alone_may_change(tmp_path: Path, path, source):
    """The tokens, the layout, and every other byte stay."""
    assert not _unequal(tmp_path, path, source, source.replace("recieve", "receive"))
    assert "more than words" in _unequal(tmp_path, path, source, source.replace("recieve.", "receive!"))


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        *(
            (path, source, source.replace("recieve", "receive"))
            for what, path, source in NO_PROSE
            if what not in NO_SENTENCE
        ),
        ("a.go", "package a\n\n// It is.\nvar recieve int\n", "package a\n\n// It is.\nvar receive int\n"),
        ("a.js", "a(); // It is.\nb();\n", "a(); // It is. b();\n"),
        ("a.c", "int a;  // It is.\n", "int a; // It is.\n"),
        ("a.sh", "echo a # b\n", "echo a #b\n"),
        ("a.sh", "echo a # b\n", "echo a# b\n"),
        ("a.yml", "a: b # c\n", "a: b# c\n"),
        ("a.c", "int a; /* b */ int c;\n", "int a; /* b / int c; */\n"),
    ],
)
def test_whatever_else_changes_is_seen(tmp_path: Path, path, before, after):
    """Also where no more than a word is another."""
    assert _unequal(tmp_path, path, before, after)


def test_every_language_has_its_grammar_and_its_name():
    """In the sandbox, and as pre-commit names a file by its suffix."""
    assert {row.grammar for row in code_text.ROWS} <= set(GUESTS)
    assert TAGS.keys() >= set(code_text.SUFFIXES)


def test_who_reads_the_file_itself_is_named(tmp_path: Path):
    """Its comments are then a program's business."""
    (tmp_path / "b.rs").write_text('const A: &str = include_str!("a.go");\n')
    path, source = PROSE[0]
    assert "b.rs may read it" == _unequal(tmp_path, path, source, source.replace("recieve", "receive"))


def test_a_grammar_that_crashes_costs_its_file(monkeypatch: pytest.MonkeyPatch):
    """It dies in a process of its own, and so does one that does not end."""
    monkeypatch.setattr(code_text, "_parsed", lambda *_: os.kill(os.getpid(), 9))
    assert "its grammar crashed on it, or did not end" == code_text.problem("a.go", "package crash\n")
    monkeypatch.setattr(code_text, "SECONDS", 1)
    monkeypatch.setattr(code_text, "_parsed", lambda *_: sum(1 for _ in iter(int, 1)))
    assert "its grammar crashed on it, or did not end" == code_text.problem("a.go", "package endless\n")


def test_what_nobody_writes_is_not_parsed():
    """Size, depth and encoding are bounded."""
    assert "larger" in code_text.problem("a.js", "//" + "x" * code_text.LARGEST)
    assert "" == code_text.problem("a.js", "[" * 20_000 + "]" * 20_000)
    assert "" == code_text.problem("a.js", "\ufeff// It is.\nvar a;\n")


def _unequal(folder: Path, path: str, before: str, after: str) -> str:
    one, other = (each.encode("utf-8", "surrogateescape") for each in (before, after))
    (folder / path).write_bytes(one)
    return unequal_comments(path, one, other, Repository(folder))
