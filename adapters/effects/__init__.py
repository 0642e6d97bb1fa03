"""Writing to the outside: one caged child process per effect, alone with the credential."""
