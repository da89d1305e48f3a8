"""The laptop engine: the same objects as on a cluster, interpreted as processes and a real Envoy."""
