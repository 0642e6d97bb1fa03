"""What is shown to be equal, and everything else that is not: an allow-list, in tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.tools.inside.equality import main, unequal
from adapters.tools.inside.imported_names import Repository


def shown(root: Path, before: str, after: str, path: str = "p/m.py", **others: str) -> str:
    """Why the change is not shown to be equal; ``others`` are Python files, ``__`` for a slash."""
    for name, text in {path: before, **{key.replace("__", "/") + ".py": text for key, text in others.items()}}.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return unequal(path, before.encode(), after.encode(), Repository(root))


EQUAL = [
    ("x = 1  \n", "x = 1\n"),
    ("x = 1;\n", "x = 1\n"),
    ("x = (1)\n", "x = 1\n"),
    ("class A(object):\n    x = 1\n", "class A:\n    x = 1\n"),
    ("class A():\n    x = 1\n", "class A:\n    x = 1\n"),
    ("x = f'a{{b'\n", "x = 'a{b'\n"),
    ("x = u'a'\n", "x = 'a'\n"),
    ("x = not a in b\n", "x = a not in b\n"),
    ("x = not a is b\n", "x = a is not b\n"),
    ("try:\n    f()\nexcept (IOError, OSError):\n    g()\n", "try:\n    f()\nexcept OSError:\n    g()\n"),
    ("try:\n    f()\nexcept (E,):\n    g()\n", "try:\n    f()\nexcept E:\n    g()\n"),
    ("try:\n    f()\nexcept E as e:\n    g()\n", "try:\n    f()\nexcept E:\n    g()\n"),
    ("def f():\n    'doc'\n    pass\n", "def f():\n    'doc'\n"),
    ("x = getattr(a, 'b')\n", "x = a.b\n"),
    ("x = 'é'.encode('utf-8')\n", "x = b'\\xc3\\xa9'\n"),
    ("x = str('a') + int(1) + bytes()\n", "x = 'a' + 1 + b''\n"),
    ("x = f'{str(a)}'\n", "x = f'{a!s}'\n"),
    ("x = '{}'.format(f(a))\n", "x = f'{f(a)}'\n"),
    ("x = '{} {b:>3}'.format(f(a), b=b)\n", "x = f'{f(a)} {b:>3}'\n"),
    ("x = '{0!r}{0}'.format(a)\n", "x = f'{a!r}{a}'\n"),
    ("import os, sys\nprint(os, sys)\n", "import os\nimport sys\nprint(os, sys)\n"),
    ("import sys\nfrom os import sep, path\nprint(sys)\n", "from os import path, sep\nimport sys\nprint(sys)\n"),
    ("# -*- coding: utf-8 -*-\nx = 1\n", "x = 1\n"),
    ("from __future__ import print_function\nx = 1\n", "x = 1\n"),
    ("import os\nx = 1\n", "x = 1\n"),
    ("def f():\n    import os\n", "def f():\n    pass\n"),
    ("from typing import Text\ndef f(x: Text) -> Text:\n    return x\n", "def f(x: str) -> str:\n    return x\n"),
    ('"""About os."""\nimport os\n', '"""About os."""\n'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), EQUAL)
def test_what_is_proven(tmp_path, before, after):
    """Each rewrite of the list, alone."""
    assert "" == shown(tmp_path, before, after)


UNEQUAL = [
    # values, names, orders
    ("x = 1\n", "x = 2\n"),
    ("x = a is 'b'\n", "x = a == 'b'\n"),
    ("x = a == None\n", "x = a is None\n"),
    ("x = not a == b\n", "x = a != b\n"),
    ("x = dict(a=1)\n", "x = {'a': 1}\n"),
    ("x = k in d.keys()\n", "x = k in d\n"),
    ("x = 1 < a()\n", "x = a() > 1\n"),
    ("x = list(a for a in b)\n", "x = [a for a in b]\n"),
    ("x = open('a', 'r')\n", "x = open('a')\n"),
    ("setattr(a(), 'b', c())\n", "a().b = c()\n"),
    ("__all__ = ['b', 'a']\n", "__all__ = ['a', 'b']\n"),
    ("x: Optional[int] = 1\n", "x: int | None = 1\n"),
    ("def f(a: 'B'): ...\n", "def f(a: B): ...\n"),
    # calls dropped, evaluated again or in another order
    ("x = '{0}'.format(a, note(a))\n", "x = f'{a}'\n"),
    ("x = '{0}{0}'.format(f())\n", "x = f'{f()}{f()}'\n"),
    ("x = '{1}{0}'.format(f(), b)\n", "x = f'{b}{f()}'\n"),
    ("x = '{}{}'.format(a, f())\n", "x = f'{a}{f()}'\n"),
    ("x = '{}{}'.format(a.b, a.c)\n", "x = f'{a.b}{a.c}'\n"),
    ("x = '{a.b}'.format(a=a)\n", "x = f'{a.b}'\n"),
    ("x = '{:{}}'.format(a, b)\n", "x = f'{a:{b}}'\n"),
    ("x = '%s' % a\n", "x = f'{a}'\n"),
    ("x = f()\n", "f()\n"),
    # a builtin that may be another's
    ("object = B\nclass A(object):\n    x = 1\n", "object = B\nclass A:\n    x = 1\n"),
    ("from b import *\nclass A(object):\n    x = 1\n", "from b import *\nclass A:\n    x = 1\n"),
    ("class A(object, metaclass=M):\n    x = 1\n", "class A(metaclass=M):\n    x = 1\n"),
    ("class A(B, object):\n    x = 1\n", "class A(B):\n    x = 1\n"),
    ("def f(str):\n    return str('a')\n", "def f(str):\n    return 'a'\n"),
    ("class A:\n    x = getattr(a, '__b')\n", "class A:\n    x = a.__b\n"),
    ("Text = 1\nfrom typing import Text\nx: Text = 1\n", "Text = 1\nx: str = 1\n"),
    # what the program reads of itself
    ("def f():\n    f'doc'\n", "def f():\n    'doc'\n"),
    ("def f():\n    pass\n    'doc'\n", "def f():\n    'doc'\n"),
    ("def f():\n    'doc '\n", "def f():\n    'doc'\n"),
    ("import os  # for tests\nx = 1\n", "x = 1\n"),
    ("x = 1  # type: int\n", "x = 1\n"),
    ("# -*- coding: latin-1 -*-\nx = 1\n", "x = 1\n"),
    ("#!/usr/bin/python\nx = 1\n", "\n#!/usr/bin/python\nx = 1\n"),
    ("\ufeffx = 1 \n", "\ufeffx = 1\n"),
    ("try:\n    f()\nexcept E as e:\n    g(e)\n", "try:\n    f()\nexcept E:\n    g(e)\n"),
    ("try:\n    f()\nexcept E as e:\n    g(locals())\n", "try:\n    f()\nexcept E:\n    g(locals())\n"),
    ("try:\n    f()\nexcept E as e:\n    breakpoint()\n", "try:\n    f()\nexcept E:\n    breakpoint()\n"),
    ("try:\n    f()\nexcept E as e:\n    pdb.set_trace()\n", "try:\n    f()\nexcept E:\n    pdb.set_trace()\n"),
    ("try:\n    f()\nexcept E as e:\n    g(sys._getframe())\n", "try:\n    f()\nexcept E:\n    g(sys._getframe())\n"),
    # order of imports with an effect
    ("import p.z\nimport p.a\n", "import p.a\nimport p.z\n"),
    ("import b\nimport a\n", "import a\nimport b\n"),
    ("import sys\nimport b\nimport os\n", "import os\nimport sys\nimport b\n"),
    ("from b import c, a\n", "from b import a, c\n"),
    ("import sys\nfrom os import *\n", "from os import *\nimport sys\n"),
    ("from os import path as x\nfrom sys import path as x\n", "from sys import path as x\nfrom os import path as x\n"),
    # left as they were
    ("print 'a' \n", "print 'a'\n"),
    ("x = 1\n", "import os\nx = 1\n"),
    ("from __future__ import annotations\nx = 1\n", "x = 1\n"),
]


@pytest.mark.parametrize(("before", "after"), UNEQUAL)
def test_what_is_not_proven_is_refused(tmp_path, before, after):
    """No entry here is one of a deny-list: nothing says yes to it."""
    assert shown(tmp_path, before, after)


IMPORT = "import json\n\n\ndef f():\n    return 1\n"
GONE = IMPORT.replace("import json\n", "")


@pytest.mark.parametrize(
    "before",
    [
        "import json\nx = eval(y)\n",
        "import json\nx = globals()\n",
        "import json\n__all__ = ['json']\n",
        "import json\nx = None  # type: json.JSONDecoder\n",
        'import json\ndef f():\n    """>>> json.dumps(1)"""\n',
        "import json\ndef f(x: 'json.JSONDecoder'):\n    return 1\n",
        "import json\ndef __getattr__(name):\n    return 1\n",
        "import json\nx = json\n",
        "import json\n__all__ = ['f'] + ['js' + 'on']\n",
        "import json\n__all__ = ['f']\n__all__ += other\n",
        "import json\n__all__ = ['f']\n__all__.extend(names)\n",
        "import json\nx = open(__file__).read()\n",
        "import json\nx = Path(__file__).resolve().read_text()\n",
        "try:\n    import json\nexcept ImportError:\n    pass\n",
        "if x:\n    import json\nelse:\n    pass\n",
        "class A:\n    import json\n    x = 1\n",
        "import readline\n",
        "import requests\n",
        "from . import json\n",
    ],
)
def test_an_import_the_file_itself_may_need_stays(tmp_path, before):
    """By name, by string, by type comment, by namespace, by effect."""
    after = "\n".join(line for line in before.split("\n") if "import" not in line or "except" in line)
    after = after.replace("try:\n", "try:\n    pass\n").replace("if x:\n", "if x:\n    pass\n")
    assert shown(tmp_path, before, after)


@pytest.mark.parametrize(
    "others",
    [
        {"p__cli": "from p.m import json\n"},
        {"p__cli": "from .m import json as j\n"},
        {"p__cli": "from p.m import *\n"},
        {"p__cli": "import p.m as q\nprint(q.json)\n"},
        {"p__cli": "from p import m\nx = m\n", "p__other": "def f(x):\n    return x.json\n"},
        {"p__cli": "import p\nprint(p.m.json)\n"},
        {"tests__test_a": "from unittest import mock\nmock.patch('p.m.json.dumps')\n"},
        {"tests__test_a": "M = 'p.m'\nmock.patch(f'{M}.json')\n"},
        {"tests__test_a": "from p import m\nmock.patch.object(m, 'json')\n"},
        {"tests__test_a": "from p import m\ndef f(x, name):\n    return getattr(x, name)\n"},
        {"p__cli": "from p import m\nprint(vars(m))\n"},
        {"p__cli": "import importlib\nimportlib.import_module(name)\n"},
        {"p__cli": "exec(open('p/x').read())\n"},
        {"p__cli": "import sys\nsys._getframe(1).f_globals\n"},
        {"p__json": "x = 1\n"},
        {"p__app": "import concurrent\nconcurrent.futures.wait\n"},
        {"tests__test_a": "open('p/m.py')\n"},
        {"p__cli": "def f():\n    '''>>> from p.m import json'''\n"},
        {"p__cli": "def f():\n    '''\n    >>> from p.m import (\n    ...     json)'''\n"},
        {"p__cli": "import p.m\nprint(attrgetter('js' + 'on')(p.m))\n"},
        {"p__cli": "import p.m\nprint(eval('p.m.' + 'js' + 'on'))\n"},
        {"p__cli": "from p.m import f\nprint(f.__globals__['js' + 'on'])\n"},
        {"tests__test_a": "from p.m import f\nmock.patch(f.__module__ + '.json.dumps')\n"},
        {"tests__test_a": "from p import m\nassert len(inspect.getsource(m)) == 3\n"},
        {"tests__test_a": "from p.m import f\nassert f.__code__.co_firstlineno == 4\n"},
    ],
    ids=str,
)
def test_an_import_somebody_else_may_need_stays(tmp_path, others):
    """Another file's import, star, attribute, string, dynamic look, or its own module of that name."""
    assert shown(tmp_path, IMPORT, GONE, **others)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/a.rst", "   >>> from p.m import json\n"),
        ("docs/a.md", "Use `p.m.json`.\n"),
        ("pyproject.toml", '[project.scripts]\nx = "p.m:json.tool"\n'),
        ("p/old.py", "from p.m import json\nprint 'Python 2'\n"),
        ("p/fast.pyx", "from p.m cimport x\nfrom p.m import json\n"),
        ("a.ipynb", '{"source": ["from p.m import a, json"]}\n'),
        ("a.ipynb", '[{"source": ["import p.m as q"]}, {"source": ["q.json.dumps(1)"]}]\n'),
        ("p/fast.pyx", "from p.m import (a,\n    json)\n"),
        ("p/fast.c", 'x = PyImport_ImportModule("p.m");\ny = PyObject_GetAttrString(x, "json");\n'),
        ("src/lib.rs", 'py.import("p.m")?.getattr("json")?;\n'),
        ("Makefile", 'a:\n\tpython -c "import p.m as q; print(q.json)"\n'),
        ("docs/b.rst", ".. currentmodule:: p.m\n\n.. autodata:: json\n"),
        ("README.md", "```python\nimport p.m as q\nq.json.dumps(1)\n```\n"),
        ("conf.yaml", "module: p.m\nattribute: json\n"),
        ("p/m.pyi", "from json import dumps as json\n"),
        ("old.pkl", "\x80\x04cp.m\njson\n\0."),
    ],
)
def test_an_import_that_other_texts_name_stays(tmp_path, name, text):
    """Documents, configuration, notebooks, and code that does not parse."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    assert shown(tmp_path, IMPORT, GONE)


def test_prose_and_settings_that_only_use_the_words_hold_nothing_back(tmp_path):
    """Else no import of a common name would ever go."""
    (tmp_path / "README.md").write_text("The m of it is read as json, and `x` is shown.\n")
    (tmp_path / "ci.yaml").write_text("m: 1\nformat: json\n")
    assert not shown(tmp_path, IMPORT, GONE)


@pytest.mark.parametrize(
    ("before", "after", "other"),
    [
        ("x = str('a')\n", "x = 'a'\n", "import builtins\nbuiltins.str = f\n"),
        (
            "try:\n    f()\nexcept E as e:\n    g()\n",
            "try:\n    f()\nexcept E:\n    g()\n",
            "def g():\n    return frame().f_locals\n",
        ),
    ],
)
def test_what_another_file_does_to_everybody_counts(tmp_path, before, after, other):
    """It replaces a builtin, or looks at its callers' variables."""
    assert not shown(tmp_path, before, after)
    assert shown(tmp_path, before, after, q=other)


@pytest.mark.parametrize("path", ["p/__init__.py", "conftest.py", "p/_compat.py", "p/m.pyi", "p/json.py"])
def test_names_of_public_places_stay(tmp_path, path):
    """Their very role is to hold names for others."""
    assert shown(tmp_path, IMPORT, GONE, path)


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("p/copy.py", {"p__cli": "from copy import json\n"}),
        ("tests/helpers.py", {"tests__test_a": "here.glob('*.py')\n"}),
    ],
)
def test_files_that_may_be_meant_by_another_name_stay(tmp_path, path, others):
    """Named like a module of the standard library; swept up with the Python files of a folder of tests."""
    assert shown(tmp_path, IMPORT, GONE, path, **others)


@pytest.mark.parametrize(
    ("path", "text", "counts"),
    [
        ("SHA256SUMS", "ab12  p/m.py\n", True),
        ("p/m.py.sha256", "ab12  m.py\n", True),
        ("checksums.json", '{"p/m.py": "ab12"}\n', True),
        ("docs/a.rst", ".. literalinclude:: ../p/m.py\n   :language: python\n   :lines: 3-4\n", True),
        ("docs/a.rst", ".. literalinclude:: ../p/m.py\n   :language: python\n", False),
        ("docs/a.md", '--8<-- "p/m.py:3:4"\n', True),
        ("docs/a.md", '--8<-- "p/m.py"\n', False),
        ("docs/a.md", "Look into p/m.py first: it is short.\n", False),
        ("docs/shared.md", "p/m.py\n", False),
    ],
)
def test_a_file_whose_bytes_or_lines_are_counted_elsewhere(tmp_path, path, text, counts):
    """By a list of checksums, or by a document that shows some of its lines."""
    for name, body in {"p/m.py": IMPORT, path: text}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(body)
    assert counts is (Repository(tmp_path).reads("p/m.py") != "")


def test_a_submodule_somebody_reaches_through_the_package_stays_loaded(tmp_path):
    """``from unittest import mock`` is what makes ``unittest.mock`` exist."""
    before = "from unittest import mock\nx = 1\n"
    assert "" == shown(tmp_path / "a", before, "x = 1\n", p__other="import unittest\n")
    assert shown(tmp_path / "b", before, "x = 1\n", p__other="import unittest\nunittest.mock.patch\n")


def test_unrelated_names_do_not_keep_an_import(tmp_path):
    """The proof is one of this module's name, not of a word."""
    others = {
        "p__other": "import json\nprint(json.dumps(1), r.json())\n",
        "p__third": "from flask import json\nprint(json)\n",
        "tests__test_m": "from p.m import f\nassert f() == 1\n",
    }
    assert "" == shown(tmp_path, IMPORT, GONE, **others)


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        ("x = 1  # We recieve it.\n", "x = 1  # We receive it.\n", True),
        ("x = 1  # noqa: F401 becuase\n", "x = 1  # noqa: F401 because\n", False),
        ("x = 1  # type: recieve\n", "x = 1  # type: receive\n", False),
        ("class A(object):\n    x = 1  # recieve\n", "class A:\n    x = 1  # receive\n", False),
        ("def f():\n    'We recieve it.'\n", "def f():\n    'We receive it.'\n", True),
        ("def f():\n    'We recieve it.'\n    g()\n", "def f():\n    'We receive it.'\n    h()\n", False),
        ("def f():\n    '>>> recieve'\n", "def f():\n    '>>> receive'\n", False),
        ("@click\ndef f():\n    'We recieve it.'\n", "@click\ndef f():\n    'We receive it.'\n", False),
        ("x = 'We recieve it.'\n", "x = 'We receive it.'\n", False),
        ("'We recieve.'\nprint(__doc__)\n", "'We receive.'\nprint(__doc__)\n", False),
    ],
)
def test_words_that_run_nowhere(tmp_path, before, after, equal):
    """In comments that no program reads, and in docstrings that nobody can be seen to read."""
    assert equal is (shown(tmp_path, before, after) == "")


def test_where_docstrings_are_read_they_are_values(tmp_path):
    """By any file of the repository."""
    before = "def f():\n    'We recieve it.'\n"
    assert shown(tmp_path, before, before.replace("recieve", "receive"), p__cli="print(m.f.__doc__)\n")


@pytest.mark.parametrize(
    ("path", "before", "after", "others", "equal"),
    [
        ("README.md", "You recieve.\n", "You receive.\n", {"setup": "open('README.md')\n"}, True),
        ("docs/a.rst", "You recieve.\n", "You receive.\n", {"p__a": "x = 'docs'\n"}, True),
        ("docs/a.rst", "You recieve.\n", "You receive.\n", {"p__a": "open('docs/a.rst')\n"}, False),
        ("docs/a.rst", "You recieve.\n", "You receive.\n", {"tests__test_a": "p.glob('*.rst')\n"}, False),
        ("p/a.txt", "You recieve.\n", "You receive.\n", {"p____init__": ""}, False),
        ("requirements.txt", "recieve\n", "receive\n", {}, False),
        ("README.md", "```\nrecieve\n```\n", "```\nreceive\n```\n", {}, False),
        ("README.md", "    recieve\n", "    receive\n", {}, False),
        ("README.md", "a\n", "a\nb\n", {}, False),
    ],
)
def test_running_text_that_no_program_names(tmp_path, path, before, after, others, equal):
    """What some code may read, or what is no running text, is not shown to be equal."""
    base, tree = tmp_path / "base", tmp_path / "tree"
    for root, text in ((base, before), (tree, after)):
        for name, body in {
            path: text,
            **{key.replace("__", "/", 1) + ".py": each for key, each in others.items()},
        }.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(body)
    (reason,) = main(base, tree, [{"path": path, "edits": None}])
    assert equal is (reason == "")


def test_edits_and_trees_are_compared_alike(tmp_path):
    """By edits on the base, or by the changed tree's file; a place outside the file is no proof."""
    base, tree = tmp_path / "base", tmp_path / "tree"
    for root, text in ((base, "é = 1;\r\n"), (tree, "é = 2\r\n")):
        root.mkdir()
        (root / "a.py").write_bytes(text.encode())
    asked = [
        {"path": "a.py", "edits": [[1, 6, 1, 7, ""]]},
        {"path": "a.py", "edits": None},
        {"path": "a.py", "edits": [[7, 1, 7, 2, ""]]},
        {"path": "a.py", "edits": [[1, 1, 1, 3, "x"], [1, 2, 1, 4, "y"]]},
    ]
    equal, changed, outside, overlapping = main(base, tree, asked)
    assert "" == equal
    assert "line 1 is not shown to do the same" == changed
    assert ("an edit is outside the file", "two edits overlap") == (outside, overlapping)
