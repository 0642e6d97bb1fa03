"""Which files hold secrets, so that no agent's program is shown them: by name, and private keys by how they begin (P8).

gitignore-style, at any depth. Nobody can take a row out of it; of ``protected_paths.toml`` every rule adds to it whose
reason names secrets. Source code is shown, whatever it is called: without its modules nothing of a package runs.
``policies.paths.rules.holds_secret`` matches.
"""

import re

SECRET_FILES = (
    ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", ".netrc", "_netrc", ".pypirc", ".git-credentials", ".htpasswd", ".ssh/", ".aws/",
    ".gnupg/", "secrets/", "credentials*", "*.tfstate*",
)  # fmt: skip
CODE = (
    ".py", ".pyi", ".pyx", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".scala", ".rb",
    ".php", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".swift", ".ex", ".exs", ".lua", ".sh", ".md", ".rst", ".html",
)  # fmt: skip
_PRIVATE_KEY = re.compile(rb"\s*(?:Bag Attributes[^-]*)?-----BEGIN [A-Z ]*PRIVATE KEY|\s*PuTTY-User-Key-File-")
BEGINNING = 4096
"""Bytes of a file that are looked at."""


def is_private_key(beginning: bytes) -> bool:
    """Whether a file that begins so is one, whatever it is called."""
    return _PRIVATE_KEY.match(beginning) is not None
