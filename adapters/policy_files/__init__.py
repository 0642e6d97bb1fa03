"""The operator's policy folder: read whole or refused, with file, line, key and nearest valid key."""

from adapters.policy_files.policy_folder import PolicyFiles

__all__ = ["PolicyFiles"]
