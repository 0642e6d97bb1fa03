"""Who says so, and why: blanks are no statement (P14).

Asked in update validators, never by the contracts: a validator keeps a blank out of the history, while a contract that
grows stricter could not read the histories that have one already, and would stop their workflows (P15).
"""

from temporalio.exceptions import ApplicationError

from contracts.artifact import Contract

STATEMENTS = ("actor", "owner", "reason", "evidence")


def require_statement(statement: Contract) -> None:
    """Refuse an update at its sender when one of its statements is blank."""
    words = {name: getattr(statement, name, None) for name in STATEMENTS}
    blank = [name for name, word in words.items() if isinstance(word, str) and not word.strip()]
    if blank:
        raise ApplicationError(f"{', '.join(blank)}: blank is not an answer", type="Malformed", non_retryable=True)
