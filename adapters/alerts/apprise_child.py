"""``python -m adapters.alerts.apprise_child``: one notification, in a process that can be killed.

Reads ``{"url", "title", "body", "type"}`` from stdin, so that the URL stands in no process list, and prints
``{"delivered", "detail"}``. What apprise logs may hold the URL: only a status code of it is passed on.
"""

import json
import logging
import re
import sys

import apprise


def notify(url: str, title: str, body: str, kind: str) -> tuple[bool, str]:
    """Send once; whether it was taken, and why not."""
    # Plain text: nothing in an alert is markup, a mention or an attachment.
    sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Autonomy Runbook", secure_logging=True))
    if not sender.add(url):
        return False, "its variable holds no URL that apprise knows"
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]
        try:
            taken = sender.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        except Exception as problem:
            # Its text may quote the URL.
            return False, f"apprise failed: {type(problem).__name__}"
        if taken:
            return True, ""
        found = re.search(r"error[=: ]*(\d{3})\b", log.getvalue())
    return False, f"the service refused: HTTP {found[1]}" if found else "no connection, or the service refused"


if __name__ == "__main__":
    given = json.load(sys.stdin)
    delivered, detail = notify(given["url"], given["title"], given["body"], given["type"])
    sys.stdout.write(json.dumps({"delivered": delivered, "detail": detail}))
