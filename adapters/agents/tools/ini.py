"""Settings in the manner of ``setup.cfg``, which many tools share."""

import configparser

from adapters.agents.tools.source_tree import SourceTree
from adapters.agents.tools.tool_runner import ToolUnavailable


def ini(tree: SourceTree, path: str, *sections: str) -> configparser.RawConfigParser:
    """The file's settings; none where there is no such file.

    Raises:
        ToolUnavailable: it cannot be read, and it names one of the sections that the caller looks for.
    """
    parser, text = configparser.RawConfigParser(strict=False), tree.text(path)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        if any(f"[{section}" in text.lower() for section in sections):
            raise ToolUnavailable(f"{path} cannot be read: {' '.join(str(error).split())}") from error
        return configparser.RawConfigParser()
    return parser
