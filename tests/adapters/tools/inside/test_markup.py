"""Paragraphs of documents: what stands in any other place is none."""

from __future__ import annotations

import pytest

from adapters.tools.inside.markup import paragraphs

MARKDOWN = {
    "paragraph": ("We recieve it.\n", True),
    "emphasis": ("We *recieve* it.\n", False),
    "list": ("- one\n- We recieve it.\n  1. two\n", True),
    "heading": ("## We recieve it\n", False),
    "underlined heading": ("We recieve it\n-------------\n", False),
    "quotation": ("> We recieve it.\n", False),
    "table": ("| a | b |\n|---|---|\n| we | recieve |\n", False),
    "fence": ("```\nrecieve\n```\n", False),
    "nested fence": ("````md\n```\na\n```\nWe recieve it.\n````\n", False),
    "tilde fence": ("~~~\n```\n~~~\n\nWe recieve it.\n", True),
    "fence in a list": ("- a\n\n  ```\n  We recieve it.\n  ```\n", False),
    "directive": ("```{note} recieve\nWe recieve it.\n```\n", False),
    "indented": ("Text:\n\n    We recieve it.\n", False),
    "code span": ("We `recieve it` now.\n", False),
    "code span over lines": ("We `have\nto recieve it` now.\n", False),
    "link text": ("See [how we recieve it](a.md).\n", False),
    "link target": ("See [this](recieve.md).\n", False),
    "reference": ("See [recieve].\n\n[recieve]: a.md\n", False),
    "image": ("![recieve](a.png)\n", False),
    "html": ("<p>\nWe recieve it.\n</p>\n", False),
    "html comment": ("<!-- We recieve it. -->\n", False),
    "inline html": ('We <a name="recieve"> it.\n', False),
    "address": ("See <https://example.org/recieve> now.\n", False),
    "html around": ("<div>\n\nWe recieve it.\n\n</div>\n", True),
    "front matter": ("---\ntitle: We recieve it\n---\n\nText.\n", False),
    "thanks": ("## Thanks\n\nWe recieve it.\n\n### More\n\nText.\n", False),
    "below thanks": ("## Thanks\n\n### More\n\nWe recieve it.\n", False),
    "after thanks": ("## Thanks\n\nText.\n\n## More\n\nWe recieve it.\n", True),
    "changelog": ("# P\n\n## Changelog\n\n### 1.0\n\n- We recieve it.\n", False),
    "version": ("## v1.2.0 (2020-01-01)\n\nWe recieve it.\n", False),
    "contributors": ("## 💚 Contributors\n\n- We recieve it.\n", False),
    "toml front matter": ("+++\ntitle = 'recieve'\n+++\n\nText.\n", False),
}
RST = {
    "paragraph": ("Title\n=====\n\nWe recieve it.\n", True),
    "list": ("- one\n- We recieve it.\n", True),
    "note": (".. note::\n\n   We recieve it.\n", True),
    "authors": ("Title\n=====\n\nText.\n\nAuthors\n-------\n\nWe recieve it.\n", False),
    "title": ("We recieve it\n=============\n", False),
    "toctree": (".. toctree::\n\n   recieve\n", False),
    "literal": ("Output::\n\n  We recieve it.\n", False),
    "doctest": (">>> print(word)\nWe recieve it.\n", False),
    "quoted": ("Text:\n\n  We recieve it.\n", False),
    "directive argument": (".. image:: recieve.png\n   :alt: We recieve it.\n", False),
    "unknown directive": (".. option:: recieve\n\n   We recieve it.\n", False),
    "code block": (".. code-block:: text\n\n   We recieve it.\n", False),
    "comment": (".. We recieve it.\n", False),
    "field": (":recieve: We recieve it.\n", False),
    "docinfo": ("Title\n=====\n\n:Author: recieve\n", False),
    "simple table": ("=====  =======\na      b\n=====  =======\nwe     recieve\n=====  =======\n", False),
    "grid table": ("+----+---------+\n| we | recieve |\n+----+---------+\n", False),
    "line block": ("| We recieve it.\n| And more.\n", False),
    "role": ("See :ref:`recieve`.\n", False),
    "literal text": ("See ``recieve`` now.\n", False),
    "reference": ("See recieve_ now.\n\n.. _recieve: a\n", False),
    "term": ("recieve\n  What it is.\n", False),
    "option list": ("-r  recieve it\n", False),
    "substitution": (".. |recieve| replace:: We recieve it.\n", False),
    "footnote": ("Text [1]_.\n\n.. [1] We recieve it.\n", False),
    "include": (".. include:: /etc/passwd\n\nText.\n", False),
    "broken": ("Title\n==\n\n.. figure::\n\nWe recieve it.\n", True),
}
PLAIN = {
    "paragraph": ("First.\n\nWe recieve it.\n", True),
    "indented": ("First.\n\n  We recieve it.\n", False),
}
CASES = [
    pytest.param(f"a.{suffix}", *case, id=f"{suffix} {name}")
    for suffix, cases in (("md", MARKDOWN), ("rst", RST), ("txt", PLAIN))
    for name, case in cases.items()
]


@pytest.mark.parametrize(("path", "text", "is_text"), CASES)
def test_only_running_text_is_a_paragraph(path, text, is_text):
    """By each format's own parser."""
    assert is_text == any("recieve" in paragraph for paragraph in paragraphs(path, text))
