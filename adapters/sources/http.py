"""ports.sources.Connector: one GET, in a child that is killed when its time is over."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from adapters.killable_child import answer_of
from policies.settings.sources import Format, SourcePolicy
from ports.sources import SourceAnswer, SourceRequest

_PROGRAM = Path(__file__).parents[1] / "one_request.py"
_USUAL: dict[Format, tuple[str, ...]] = {
    "json": ("application/json", "text/json"),
    "jsonl": ("application/jsonl", "application/x-ndjson", "application/json-lines", "text/plain"),
    "csv": ("text/csv", "text/plain", "application/csv"),
    "feed": ("application/rss+xml", "application/atom+xml", "application/xml", "text/xml"),
}


class HttpSource:
    """A slow name server, a dripping answer, an endless or packed body: none of them outlives its time or its size."""

    def fetch(self, source: SourcePolicy, request: SourceRequest) -> SourceAnswer:
        """The body, its type checked; the credential goes to the URL's own host alone."""
        assert source.http is not None  # noqa: S101  # the connector's row is chosen by it
        wanted = source.http
        shown = _without_credentials(wanted.url)
        secret = os.environ.get(wanted.variable, "") if wanted.variable else ""
        if wanted.variable and not secret:
            return SourceAnswer(shown, None, f"the variable {wanted.variable} is not set in the worker's environment")
        question = {
            "url": wanted.url,
            "hosts": wanted.hosts,
            "header": [wanted.header, secret] if secret else None,
            "seconds": wanted.seconds,
            "most": wanted.most_kb << 10,
        }
        told = answer_of(_PROGRAM, json.dumps(question).encode(), wanted.seconds, request.alive)
        if told is None:
            return SourceAnswer(shown, None, f"no whole answer within {wanted.seconds:g} s")
        head, _, body = told[0].partition(b"\n")
        try:
            reply = json.loads(head)
        except ValueError:
            return SourceAnswer(shown, None, "the fetching process failed")
        if reply["problem"]:
            return SourceAnswer(shown, None, reply["problem"], reply["headers"])
        media = reply["headers"].get("content-type", "").partition(";")[0].strip().lower()
        if media not in (allowed := (*_USUAL[wanted.format], *wanted.media_types)):
            return SourceAnswer(
                shown, None, f"its type is {media or 'not said'}, not {' or '.join(allowed)}", reply["headers"]
            )
        return SourceAnswer(shown, body, headers=reply["headers"], media_type=media)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
