"""What keeps a process from the Temporal server, or the installation, that it needs. Each says why, and what to do."""


class ServerUnavailable(Exception):
    """No Temporal server answers at the address."""


class AnotherHome(Exception):
    """This installation's files lie in another AUTONOMY_HOME than this worker's."""
