"""Pull requests on a Gitea: opened once, updated and closed while nobody else ended them."""

from adapters.forges.gitea.acting import Acting, forge_title, same_text
from adapters.forges.gitea.api import Pull
from adapters.forges.http.ownership import edited, headed, marked, opened_under, read_mark
from adapters.forges.http.shapes import shaped
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from policies.texts.inert_markdown import inert_text
from policies.texts.outcome import updated_head


def open_pull(acting: Acting) -> EffectResult:
    """Open it, or adopt the one of this key or this head."""
    effect = acting.effect
    if found := _opened(acting):
        return _shown(acting, found, adopted=True)
    if reason := _no_head(acting):
        return EffectResult(done=False, refused=reason)
    if reason := acting.wrong_account():
        return EffectResult(done=False, refused=reason, obstacle=True)
    if acting.order.look_only:
        return EffectResult(done=False)
    body = marked(inert_text(effect, effect.body), effect.run_key, effect.task_id, sealed=True)
    reply = acting.act(
        "POST", "/pulls", title=forge_title(effect.title), body=body, head=effect.branch, base=effect.base_branch
    )
    if reply is not None and reply.good:
        return _shown(acting, shaped(Pull, reply.content), adopted=False)
    if found := _opened(acting):
        # 409: somebody was faster. No clear answer: it was us after all.
        return _shown(acting, found, adopted=reply is not None)
    return acting.refused(reply, "open a pull request")


def change_pull(acting: Acting) -> EffectResult:
    """Give an open one its title and body, or close it; refused once a person merged or closed it.

    A body that somebody wrote in stays: an update says at its head what it is now, a closing by its comment and head.
    """
    if acting.effect.head:
        return _headed(acting)
    closing = acting.effect.action is WriteAction.CLOSE_PULL_REQUEST
    found = _to_change(acting)
    if found is None:
        key = acting.effect.record_key or acting.effect.run_key
        return EffectResult(done=False, refused=f"no pull request is open under {key}")
    if found.merged:
        return EffectResult(done=False, refused=f"pull request {found.number} is merged")
    if found.state == "closed" and not closing:
        return EffectResult(done=False, refused=f"a person closed pull request {found.number}")
    wanted = _wanted(acting, found)
    if found.state == "closed" or _is(found, wanted):
        return _shown(acting, found, adopted=True)
    if acting.order.look_only:
        return EffectResult(done=False)
    reply = acting.act("PATCH", f"/pulls/{found.number}", **wanted)
    again = _to_change(acting)
    if again is not None and _is(again, wanted):
        return _shown(acting, again, adopted=False)
    return acting.refused(reply, f"{'close' if closing else 'update'} pull request {found.number}")


def comment(acting: Acting) -> EffectResult:
    """Say it below a pull request of ours, or find it said under this key."""
    effect = acting.effect
    if _numbered(acting) is None:
        return EffectResult(done=False, refused=f"pull request {effect.number} is none of ours")
    if _said(acting):
        return EffectResult(done=True, adopted=True, result=str(effect.number))
    if acting.order.look_only:
        return EffectResult(done=False)
    if reason := acting.wrong_account():
        return EffectResult(done=False, refused=reason, obstacle=True)
    # First the head: what a look finds, an earlier attempt's too, is the comment.
    unheaded = _headed(acting).refused if effect.head else ""
    body = marked(inert_text(effect, effect.body), effect.run_key, effect.task_id)
    reply = acting.act("POST", f"/issues/{effect.number}/comments", body=body)
    if (reply is not None and reply.good) or _said(acting):
        return EffectResult(done=True, result=str(effect.number), refused=unheaded)
    return acting.refused(reply, f"comment on pull request {effect.number}")


def _headed(acting: Acting) -> EffectResult:
    """Only what its text begins with: merged or closed, it says so there, and nothing else of it changes."""
    effect = acting.effect
    found = _numbered(acting)
    if found is None:
        return EffectResult(done=False, refused=f"pull request {effect.number} is none of ours")
    wanted = {"body": headed(found.body or "", inert_text(effect, effect.head))}
    if _is(found, wanted):
        return _shown(acting, found, adopted=True)
    if acting.order.look_only:
        return EffectResult(done=False)
    if reason := acting.wrong_account():
        return EffectResult(done=False, refused=reason, obstacle=True)
    reply = acting.act("PATCH", f"/pulls/{found.number}", **wanted)
    again = _numbered(acting)
    if again is not None and _is(again, wanted):
        return _shown(acting, again, adopted=False)
    return acting.refused(reply, f"say at the head of pull request {found.number} what became of it")


def _numbered(acting: Acting) -> Pull | None:
    number = acting.effect.number
    return next((pull for pull in acting.repository.our_pulls() if pull.number == number), None)


def _said(acting: Acting) -> bool:
    effect = acting.effect
    return any(each.run_key == effect.run_key for each in acting.repository.comments(effect.number))


def _wanted(acting: Acting, found: Pull) -> dict[str, str]:
    effect, mark = acting.effect, read_mark(found.body or "")
    wanted = {"title": forge_title(effect.title)} if effect.title else {}
    if effect.body and not edited(found.body or ""):
        # Whoever opened it stays its opener: that key is what adoption looks for.
        key, task = mark.run_key or effect.record_key or effect.run_key, mark.task_id or effect.task_id
        wanted["body"] = marked(inert_text(effect, effect.body), key, task, sealed=True)
    elif effect.body and effect.action is WriteAction.UPDATE_PULL_REQUEST:
        wanted["body"] = headed(found.body or "", updated_head(effect.head_sha))
    if effect.action is WriteAction.CLOSE_PULL_REQUEST:
        wanted["state"] = "closed"
    return wanted


def _is(pull: Pull, wanted: dict[str, str]) -> bool:
    shown = {"title": pull.title, "body": pull.body, "state": pull.state}
    return all(same_text(shown[name], text) for name, text in wanted.items())


def _opened(acting: Acting) -> Pull | None:
    effect = acting.effect
    if found := _under(acting, effect.run_key):
        return found
    # The same head on the same branch is the same request, whoever opened it, and merged it perhaps.
    same = acting.repository.pull_between(effect.base_branch, effect.branch)
    alive = same is not None and (same.state == "open" or same.merged)
    return same if same and alive and same.head.sha == effect.head_sha else None


def _to_change(acting: Acting) -> Pull | None:
    """By the key it was opened under; of a run that adopted it, our open one of the same branch."""
    effect = acting.effect
    if found := _under(acting, effect.record_key or effect.run_key):
        return found
    ours = acting.repository.our_pulls()
    return next((pull for pull in ours if pull.head.label == effect.branch and pull.state == "open"), None)


def _under(acting: Acting, key: str) -> Pull | None:
    return opened_under(key, acting.repository.our_pulls())


def _no_head(acting: Acting) -> str:
    effect, heads = acting.effect, acting.heads()
    if effect.base_branch not in heads:
        return f"the remote has no base branch {effect.base_branch}"
    found = heads.get(effect.branch, "")
    if found == effect.head_sha:
        return ""
    return f"the remote branch {effect.branch} is at {found or 'nothing'}, not at {effect.head_sha}"


def _shown(acting: Acting, pull: Pull, adopted: bool) -> EffectResult:
    shown = acting.repository.shown(pull)
    return EffectResult(done=True, adopted=adopted, result=str(pull.number), pull_request=shown)
