"""The child: GET one URL, print its status. Standard library only; runs isolated (``python -I``)."""

import http.client
import json
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

_MOST_BYTES = 1 << 20
_WEB = {"http", "https"}


class SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect on the same host; another one is an answer of its own."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """None: not followed, so that urllib raises the redirect itself."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in _WEB or new.hostname != old.hostname:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def main() -> int:
    """Read ``{"url": …, "seconds": …}``, print ``{"status": …, "detail": …}``."""
    question = json.loads(sys.stdin.read())
    # No proxy: what is probed is the place that the operator named.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), SameHost())
    request = urllib.request.Request(question["url"], headers={"User-Agent": "autonomy-runbook-probe"})  # noqa: S310  # the policy's schema allows http and https alone
    status: int | None
    try:
        with opener.open(request, timeout=question["seconds"]) as answer:
            body = answer.read(_MOST_BYTES)
            if len(body) < _MOST_BYTES and answer.length:
                raise http.client.IncompleteRead(body, answer.length)
            status, detail = answer.status, f"status {answer.status}"
    except urllib.error.HTTPError as refused:
        status, detail = refused.code, f"status {refused.code}"
        if urlsplit(refused.headers.get("Location", "")).hostname:
            detail += f", to {urlsplit(refused.headers['Location']).hostname}: not followed"
    except (OSError, http.client.HTTPException, ValueError) as problem:
        status, detail = None, f"no answer: {problem or type(problem).__name__}"
    sys.stdout.write(json.dumps({"status": status, "detail": detail[:300]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
