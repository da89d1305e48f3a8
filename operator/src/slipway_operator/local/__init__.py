"""The laptop engine: the same objects as on a cluster, run as processes and a real Envoy."""
