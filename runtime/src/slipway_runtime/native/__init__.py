"""Models that are served as they are: asked in a process of their own, never in the server."""
