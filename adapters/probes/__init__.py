"""Health probes by URL: each one asked by a child process that can be killed, whatever it waits for."""
