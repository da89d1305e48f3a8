"""How a new revision takes over: where it stands, what it waits for, and how it ends."""
