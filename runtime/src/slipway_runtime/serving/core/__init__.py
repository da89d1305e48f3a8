"""The pure middle of serving: columns in, checked tensors, answers out.

Needs numpy and onnxruntime only. The model server imports it, and every Bento carries a copy of it,
so that both give the same answers by construction. Must not import anything outside this folder.
"""
