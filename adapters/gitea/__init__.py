"""Gitea and Forgejo behind the forge port: the API version 1 that both speak."""
