"""Health probes by URL: each one asked by a child process that can be killed, whatever it waits for.

url.py  ports.probes.UrlProbes: one killable child per question
"""
