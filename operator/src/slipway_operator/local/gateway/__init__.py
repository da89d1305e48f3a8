"""The engine's gateway: HTTPRoutes on a real Envoy."""
