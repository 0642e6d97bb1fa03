"""What is kept on this machine: artifacts, audit logs, the index of runs.

audit_chain.py    The audit chain's arithmetic: how a record is sealed, read back and linked to the one before it
chained_log.py    The tamper-evident audit log (P10): one file of hash-chained JSON lines per run and per target
durable_files.py  Files that survive a crash: synced folder entries, and files of lines appended under a lock
local_store.py    Artifacts in a local folder: bodies by digest under ``objects``
private_home.py   The folder that everything is kept in: its owner's alone, and where every part of us can see it
run_index.py      One line per ended run, so that a list of runs opens no report
"""
