"""Comments and docstrings that no program reads."""

from __future__ import annotations

import pytest

from adapters.tools.inside.python_text import comments, docstrings, reads_docstrings

DOC = '"""We recieve it."""\n'


@pytest.mark.parametrize(
    ("source", "is_text"),
    [
        ("# We recieve it.\n", True),
        ("x = 1  # We recieve it.\n", True),
        ("# It goes on\n# and we recieve it.\n", True),
        ("#: We recieve it.\n", True),
        ("# recieve = 1\n", False),
        ("# for each in recieve:\n", False),
        ("# if recieve is not in that:\n#     pass\n", False),
        ("# type: recieve\n", False),
        ("# noqa: recieve\n", False),
        ("#!/usr/bin/recieve\n", False),
        ("# Copyright Somebody\n#\n# We recieve it.\n", False),
        ("# %% recieve\n", False),
        ("#     recieve   it\n", False),
        ("# /// recieve\n", False),
        ("def f(:\n    # We recieve it.\n", False),
        ("print 'a'  # We recieve it.\n", False),
        ('X = "# We recieve it."\n', False),
    ],
)
def test_comments(source, is_text):
    """Markers, commented-out code and files of another Python are none."""
    assert is_text == any("recieve" in text for text in comments(source))


@pytest.mark.parametrize(
    ("source", "is_text"),
    [
        (DOC, True),
        (f"def f():\n    {DOC}", True),
        (f"class A:\n    {DOC}\n    def f(self):\n        pass\n", True),
        (f"class A(ValueError):\n    def f(self):\n        {DOC}", True),
        (f"@property\ndef f(self):\n    {DOC}", True),
        (f"{DOC}print(__doc__)\n", False),
        (f"@click.command()\ndef f():\n    {DOC}", False),
        (f"@app.get('/')\nasync def f():\n    {DOC}", False),
        (f"class A(BaseModel):\n    {DOC}", False),
        (f"class A(Cmd):\n    def do_it(self):\n        {DOC}", False),
        (f"class A(metaclass=M):\n    {DOC}", False),
        (f"def p_expr(p):\n    {DOC}", False),
        (f"def t_NAME(t):\n    {DOC}", False),
        ('"""Tool.\n\nUsage:\n  tool recieve\n"""\n', False),
        ('"""Tool.\n\nUsage:\n\ntool recieve\n"""\n', False),
        ('"""Tool.\n\nLicensed to you.\n\nWe recieve it.\n"""\n', False),
        ('"""Tool.\n\n>>> f()\nWe recieve it.\n"""\n', False),
        ('"""Tool.\n\nArgs:\n    recieve: We recieve it.\n"""\n', False),
        ('"""Tool.\n\n:param recieve: We recieve it.\n"""\n', False),
        ('"""Tool.\n\nWe recieve it\n=============\n"""\n', False),
        ('"""Tool.\n\nOutput::\n\n  a\n\nWe recieve it.\n"""\n', True),
        ('X = "We recieve it."\n', False),
        ('f"We recieve it."\n', False),
    ],
)
def test_docstrings(source, is_text):
    """What shows, parses or registers them, and examples, usages and lists in them, are none."""
    assert is_text == any("recieve" in text for text in docstrings(source))


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("print(f.__doc__)\n", True),
        ("getattr(f, '__doc__')\n", True),
        ("inspect.getdoc(f)\n", True),
        ("import fire\nfire.Fire(f)\n", True),
        ("from typer import run\n", True),
        ("import ply.yacc as yacc\n", True),
        ("help(f)\n", True),
        ("ast.get_docstring(node)\n", True),
        ("click.command(name='a')(f)\n", True),
        ("from absl import app\n", True),
        ("from openai import OpenAI\n", True),
        ("parser.print_help()\nself.help(1)\n", False),
        ("wrapper.__doc__ = function.__doc__\n", False),
        ("print(__doc__)\n", False),
        ("import firewall\n", False),
    ],
)
def test_programs_that_read_the_docstrings_of_others(source, reads):
    """Of whatever function: none of the repository's is sure then."""
    assert reads == reads_docstrings(source)
