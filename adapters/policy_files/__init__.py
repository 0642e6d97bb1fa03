"""The operator's policy folder: read whole or refused, with file, line, key and nearest valid key.

complaints.py       What is wrong with a policy file, one clear sentence each: file, line, key, nearest valid key
effective.py        One target's policy out of the bytes of its four files, or every fault in them, a line each
policy_document.py  One policy file: its bytes read once, parsed, and every key's line
policy_folder.py    The policy folder as a ``PolicySource`` (P6, P13)
provenance.py       Where every effective value came from, and what it means (``policy explain``)
"""

from adapters.policy_files.policy_folder import PolicyFiles

__all__ = ["PolicyFiles"]
