"""Scripts that run inside the sandbox, on files nobody vouches for: standard library, codespell, parsers, each other.

archives.py          Inside the sandbox: a package's archive, and its own words on licence and changes
code_text.py         Inside the sandbox: comments of other languages than Python that no program reads, by tree-sitter's
command_lines.py     Inside the sandbox, and outside: how a repository's owner calls a program
coverage_report.py   Inside the sandbox: which lines a coverage report says were never run
documents.py         Inside the sandbox: whether words of a document or comment can change without any program being
edits.py             A linter's edits, applied to the bytes of a file by ourselves: what is proven is what is written
equality.py          Inside the sandbox: whether a changed file can be shown to do what it did
idle_tests.py        Inside the sandbox: tests in Python that check nothing, and skips that never or always apply
imported_names.py    Inside the sandbox: whether anything in a whole repository may need a name that one file imports
markup.py            Inside the sandbox: the paragraphs of a document, by the parsers of its format
mentions.py          Inside the sandbox: whether a text that is no Python we can parse may take a name from one of
normal_form.py       Inside the sandbox: one form for syntax trees that do the same; each rewrite says why (Python 3)
other_spell_checkers.py  Inside the sandbox: what a repository's owner keeps from other spell checkers than codespell
owners_codespell.py  Inside the sandbox: how the owner of a repository calls codespell, and what those calls leave out
python_facts.py      Inside the sandbox: what a reviewer must know of Python files, from their syntax trees; of others,
python_text.py       Inside the sandbox: comments and docstrings of a Python file that no program reads
registries.py        Inside the sandbox, with the hosts of the list: what registries say of packages
running_text.py      Inside the sandbox: which words of a paragraph are certainly words of an English sentence
spelling.py          Inside the sandbox: codespell's single-suggestion words

They import nothing else of ours and read nothing but the tree and their arguments; `registries.py` also the network.
"""
