"""Git behind ports.repository: the only package that starts git (GitPython runs repository commands if allowed to)."""
