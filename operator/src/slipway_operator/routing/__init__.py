"""The traffic port: from two slots to the objects of a gateway, and back."""
