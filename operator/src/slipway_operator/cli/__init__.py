"""The `slipway` command: the same verbs against the laptop engine and against a cluster."""
