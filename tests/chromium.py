"""A real headless Chromium: a page as it is shown, and our own pages looked at as a reader's eyes and hands would."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WIDTHS = (1280, 390)
"""A desk and a telephone, in pixels."""


async def browse(url: str, profile: Path) -> str:
    """The page as it is in the end; every name of a test leads to this machine."""
    program = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    argv = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
    argv += ["--host-resolver-rules=MAP *.test 127.0.0.1", "--virtual-time-budget=20000", "--dump-dom", url]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, stderr=quiet, stdin=quiet)
    try:
        shown, _ = await asyncio.wait_for(process.communicate(), 100)
    except TimeoutError:
        process.kill()
        raise
    return shown.decode()


@dataclass(frozen=True)
class Look:
    """What a reader has of a page at one width, with scripts switched off; every fold is opened after a glance."""

    too_wide: int
    """Pixels that can be reached by scrolling sideways alone."""
    first: str
    """The first heading, where it is within the first screen and nothing but it is read before; else empty."""
    text: str
    links: dict[str, str]
    """Where each leads that can be clicked, by its address; those that cannot are ``covered``."""
    acting: list[str]
    """Elements that could load or do something."""


# In a frame without scripts, as wide as the reader's window; only the page around it measures.
_MEASURE = """<body style="margin:0"><script>
const found = {};
const look = frame => {
  const page = frame.contentDocument, root = page.documentElement, head = page.querySelector("h1");
  const top = head ? head.getBoundingClientRect().top : 9999;
  const before = head ? page.body.innerText.trimStart().startsWith(head.innerText.trim()) : false;
  for (const fold of page.querySelectorAll("details")) fold.open = true;
  const links = {};
  for (const link of page.querySelectorAll("a[href]")) {
    if (!link.getClientRects().length) continue;
    link.scrollIntoView({block: "center", inline: "center"});
    const box = link.getClientRects()[0];
    const at = page.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    links[link.getAttribute("href")] = at && (at === link || link.contains(at)) ? link.innerText : "covered";
  }
  const acting = [...page.querySelectorAll(
    "script, img, iframe, object, embed, form, link, audio, video, base, meta[http-equiv=refresh i]")];
  const handlers = [...page.querySelectorAll("*")].filter(
    each => [...each.attributes].some(one => one.name.startsWith("on") || /^\\s*javascript:/i.test(one.value)));
  return {
    too_wide: Math.max(root.scrollWidth, page.body.scrollWidth) - root.clientWidth,
    first: top < 240 && before ? head.innerText.trim() : "",
    text: page.body.innerText,
    links: links,
    acting: [...acting, ...handlers].map(each => each.outerHTML.slice(0, 200)),
  };
};
(async () => {
  for (const name of PAGES) for (const width of WIDTHS) {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-same-origin";
    frame.style = `border:0;width:${width}px;height:900px`;
    frame.src = `/page/${name}`;
    document.body.replaceChildren(frame);
    await new Promise(done => frame.onload = done);
    found[`${name} ${width}`] = look(frame);
  }
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.replaceChildren(out);
})();
</script></body>"""


async def look_at(pages: Mapping[str, str], profile: Path) -> tuple[dict[tuple[str, int], Look], list[str]]:
    """Each page at each width, in one browser; and what was asked of the network beside the pages themselves."""
    asked: list[str] = []
    harness = _MEASURE.replace("PAGES", json.dumps(list(pages))).replace("WIDTHS", json.dumps(WIDTHS))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/page/")
            body = harness if self.path == "/" else pages.get(name)
            if body is None and self.path != "/favicon.ico":
                asked.append(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((body or "").encode("utf-8", "replace"))

        def log_message(self, *_given: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        shown = await browse(f"http://127.0.0.1:{server.server_port}/", profile)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    found = re.search(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL)
    assert found, shown[:2000]
    looks = json.loads(html.unescape(found[1]))
    return {(name, width): Look(**looks[f"{name} {width}"]) for name in pages for width in WIDTHS}, asked
