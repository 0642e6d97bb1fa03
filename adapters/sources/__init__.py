"""Where records come from (runbook §5): a connector is one file here and one row in ``connectors.py``.

again.py       Runs inside the sandbox: recorded answers, read again
command.py     A program in the sandbox, on a checkout of the base: what it prints is the answer
connectors.py  The connectors there are
forge.py       What the forge says of the base: its red checks, or open issues with a label, a record each
http.py        One GET, in a child that is killed when its time is over
replaying.py   Recorded answers read again in a sandbox of their own, their digests compared
repository.py  A file of the base
"""
