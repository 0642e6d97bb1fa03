"""GitHub behind the forge port: github.com and Enterprise Server, over the REST API of version 2022-11-28."""
