"""Released clients of the papers API, each in an environment of its own, against a really started server."""
