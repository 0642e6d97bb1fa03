"""How an artifact's JSON is written."""

import json

from activities.step_session import written
from contracts.artifact import ArtifactRef
from contracts.verdict import Decision, Verdict


def test_a_name_that_is_no_utf8_is_readable_and_all_else_as_it_is() -> None:
    """The quick way refuses such a name, and the other one is taken."""
    for name, shown in (("ä\n.txt", "ä\n.txt"), ("a\udcff.txt", "a\\xff.txt")):
        verdict = Verdict(decision=Decision.DENY, rule="any", reason=name, facts={"name": name, "many": 3, "part": 0.5})
        found = json.loads(written(verdict))
        assert (shown, {"name": shown, "many": 3, "part": 0.5}) == (found["reason"], found["facts"])


def test_an_artifact_reads_back_and_is_for_people_too() -> None:
    """Camel case, in lines."""
    ref = ArtifactRef(name="a.json", sha256="0" * 64, size=1, media_type="application/json", location="a")
    assert ref == ArtifactRef.model_validate_json(written(ref))
    assert b'\n  "mediaType": "application/json"' in written(ref)
