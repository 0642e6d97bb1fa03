"""Inside the jail, for the local forge: pull requests, what is said below them, and tickets, as records."""

from pathlib import Path

from adapters.effects.local_records import (
    change_record,
    comments_file,
    half_written,
    open_record,
    read_comments,
    read_record,
    read_records,
)
from adapters.effects.order import EffectOrder
from adapters.forges.kinds import COMMENTS, PULLS
from adapters.forges.local_issues import LocalIssues
from adapters.git.environment import ClosedGit
from adapters.git.merging import NOBODY, is_ancestor
from adapters.git.private import locked
from adapters.git.remotes import remote_heads
from adapters.store.durable_files import locked_lines, sync_folder
from contracts.effect import Effect, EffectResult
from contracts.forge_facts import PullComment, asked_on, said_by_us
from contracts.modes import WriteAction
from policies.texts.inert_markdown import inert_text
from policies.texts.outcome import updated_head

_INDEX = "index.md"


def write_locally(order: EffectOrder) -> EffectResult:
    """A pull request, a comment or a ticket; each refuses what is none."""
    if order.effect.action in PULLS:
        return write_pull(order)
    if order.effect.action in COMMENTS:
        return write_comment(order)
    return write_ticket(Path(order.records) / "tickets", order.effect, order.look_only)


def write_pull(order: EffectOrder) -> EffectResult:
    """Open, update or close one pull request, or adopt what an earlier attempt did."""
    effect, folder = order.effect, Path(order.records) / "pulls"
    if effect.action is WriteAction.OPEN_PULL_REQUEST:
        return open_record(folder, effect, order.look_only, lambda: order.misplaced(_heads(order)))
    if effect.action not in {WriteAction.UPDATE_PULL_REQUEST, WriteAction.CLOSE_PULL_REQUEST}:
        return EffectResult(done=False, refused=f"{effect.action.value} is no write of a pull request")
    if effect.head:
        return _headed(effect, folder, order.look_only)
    key = effect.record_key or effect.run_key
    if reason := _not_open(order, folder, key):
        return EffectResult(done=False, refused=reason)
    facts = {name: text for name, text in (("title", effect.title), ("body", effect.body)) if text}
    instead = updated_head(effect.head_sha)
    if effect.action is WriteAction.CLOSE_PULL_REQUEST:
        facts["state"], instead = "closed", ""
    return change_record(folder, key, order.look_only, unless_edited=instead, **facts)


def write_comment(order: EffectOrder) -> EffectResult:
    """Say it below a pull request of ours, or find it said under this key."""
    effect, folder = order.effect, Path(order.records) / "pulls"
    if asked_on(effect.run_key) is not None:
        return _question(order)
    if not (folder / f"{effect.number}.json").exists():
        return EffectResult(done=False, refused=f"there is no pull request {effect.number}")
    if any(each.run_key == effect.run_key for each in read_comments(folder, effect.number)):
        return EffectResult(done=True, adopted=True, result=str(effect.number))
    if order.look_only:
        return EffectResult(done=False)
    if effect.head:
        # First the head: what a look finds, an earlier attempt's too, is the comment.
        _headed(effect, folder, order.look_only)
    text = inert_text(effect, effect.body)
    comment = PullComment(author=NOBODY.name, body=text, run_key=effect.run_key)
    with locked_lines(comments_file(folder, effect.number)) as lines:
        lines.append((comment.model_dump_json(by_alias=True).encode() + b"\n",))
    return EffectResult(done=True, result=str(effect.number))


def _question(order: EffectOrder) -> EffectResult:
    """Ask it below an open issue, or find it asked of this state of the issue, by whichever run."""
    effect, issues = order.effect, LocalIssues(Path(order.records))
    if said_by_us(issues.comments(effect.number), effect.run_key.rpartition("/")[2]):
        return EffectResult(done=True, adopted=True, result=str(effect.number))
    if order.look_only:
        return EffectResult(done=False)
    refused = issues.say(effect.number, inert_text(effect, effect.body), NOBODY.name, effect.run_key)
    return EffectResult(done=not refused, refused=refused, result="" if refused else str(effect.number))


def _headed(effect: Effect, folder: Path, look_only: bool) -> EffectResult:
    """Only what its text begins with: merged or closed, it says so there, and nothing else of it changes."""
    record = read_record(folder, effect.number)
    if record is None:
        return EffectResult(done=False, refused=f"there is no pull request {effect.number}")
    return change_record(folder, record.run_key, look_only, head=inert_text(effect, effect.head))


def _not_open(order: EffectOrder, folder: Path, key: str) -> str:
    """Why there is nothing to update or close any more; empty while it is open, or closed by us."""
    record = next((each for each in read_records(folder, key) if each.run_key == key), None)
    if record is None or record.state == "closed":
        return "" if order.effect.action is WriteAction.CLOSE_PULL_REQUEST else f"no pull request is open under {key}"
    git, heads = ClosedGit(Path(order.mirror), inherit=True), _heads(order)
    if record.branch not in heads:
        return f"a person closed pull request {record.number}: its branch is gone"
    base = heads.get(record.base_branch, "")
    known = bool(base) and not git.run("cat-file", "-e", f"{base}^{{commit}}", accept=(0, 1, 128)).code
    if known and is_ancestor(git, record.head_sha, base):
        return f"pull request {record.number} is merged"
    return ""


def _heads(order: EffectOrder) -> dict[str, str]:
    return remote_heads(ClosedGit(Path(order.mirror), inherit=True), order.remote)


# Tickets: records as of pull requests, and ``index.md`` for people.


def write_ticket(folder: Path, effect: Effect, look_only: bool) -> EffectResult:
    """Open, update or close one ticket, or adopt what an earlier attempt did."""
    result = _write_ticket(folder, effect, look_only)
    _show(folder, look_only)
    return result


def _write_ticket(folder: Path, effect: Effect, look_only: bool) -> EffectResult:
    key, head = effect.record_key or effect.run_key, inert_text(effect, effect.head)
    if effect.action is WriteAction.CLOSE_TICKET:
        opened = effect.record_key or f"{effect.run_id}/{WriteAction.OPEN_TICKET}"
        return change_record(folder, opened, look_only, head=head, state="closed")
    if effect.action is WriteAction.UPDATE_TICKET and head:
        return change_record(folder, key, look_only, head=head)
    if effect.action is WriteAction.UPDATE_TICKET and any(each.run_key == key for each in read_records(folder, key)):
        return change_record(folder, key, look_only, title=effect.title, body=effect.body)
    if effect.action not in {WriteAction.OPEN_TICKET, WriteAction.UPDATE_TICKET}:
        return EffectResult(done=False, refused=f"{effect.action.value} is no write of a ticket")
    return open_record(folder, effect, look_only, str)


def _show(folder: Path, look_only: bool) -> None:
    """Write the index anew: an attempt that adopts a ticket finishes what a killed one did not get to."""
    if look_only:
        return
    with locked(folder / ".lock"):
        lines = ["# Tickets", "", "| number | state | title |", "|---|---|---|"]
        for record in read_records(folder):
            title = record.title.replace("|", "\\|").replace("\n", " ")
            lines.append(f"| [{record.number}]({record.number}.json) | {record.state} | {title} |")
        half_written(folder, "\n".join([*lines, ""]).encode()).replace(folder / _INDEX)
        sync_folder(folder)
