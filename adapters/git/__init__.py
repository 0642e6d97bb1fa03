"""Git behind ports.repository: the only package that starts git (GitPython runs repository commands if allowed to).

environment.py    The closed environment of every git command, and the one place that starts git
healing.py        A mirror that was damaged or deleted: recognised by whoever meets it, set aside, fetched anew
merging.py        Commits made in the object store: no work tree, no index, no hook
mirror.py         One target's bare mirror: ports.repository on our own trusted git folder
objects.py        What commits, trees and files hold, read from objects alone
partial_clone.py  Mirrors fetched without file contents (`partial_clone` of a target)
private.py        Locks, and private folders beside a mirror for index files and scratch repositories
remotes.py        What a remote may be, what it shows, and the one push
submodules.py     Submodules: what `.gitmodules` may say, and one commit of another repository
survival.py       What of a change still stands in a later tree: line by line, also of files that were renamed
transfer.py       Objects coming in and going out: fetching the base branch, carrying a change as a bundle
upkeep.py         Mirrors kept small: packs, loose objects and refs put together, nothing ever dropped
worktree.py       Between commits and folders. The folder may be hostile; every call has an index file of its own
"""
