"""From a model file to a proven ONNX model, or to a native one with the reason."""
