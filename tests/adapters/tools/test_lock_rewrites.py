"""What an update of a lock file writes otherwise beside what it updates."""

from __future__ import annotations

import pytest

from adapters.tools.locks import written_anew

HEAD = "version = 1\nrevision = 2\n"
ONE = '[[package]]\nname = "one"\nversion = "1.0"\ndependencies = [{ name = "two" }]\n'
TWO = '[[package]]\nname = "two"\nversion = "1.0"\n'
BEFORE = HEAD + ONE + TWO
AFTER = HEAD + ONE + TWO.replace("1.0", "1.1")


@pytest.mark.parametrize(
    ("after", "anew"),
    [
        (AFTER, ""),
        # Who names it is written with it: by its version where there are two, by a marker.
        (HEAD + ONE.replace('{ name = "two" }', '{ name = "two", version = "1.1" }') + TWO.replace("1.0", "1.1"), ""),
        (AFTER.replace("revision = 2", "revision = 2\nresolution-markers = ['a']"), ""),
        (AFTER.replace("revision = 2", "revision = 3"), "revision"),
        (BEFORE.replace("revision = 2\n", ""), "revision"),
        (HEAD + ONE.replace('"two"', '"six"') + TWO, "one"),
        ('{"lockfileVersion": 3}', ""),
    ],
)
def test_what_is_written_anew_beside_an_update(after, anew):
    """Another version of a program writes the same facts otherwise."""
    assert anew == written_anew(BEFORE, after)
