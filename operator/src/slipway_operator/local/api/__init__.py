"""The engine's HTTP API: Kubernetes' paths and semantics on loopback (docs/wire.md)."""
