"""A tree so deep that onnxruntime runs out of stack while it loads it: a real segmentation fault.

scikit-learn answers it well, as it walks trees in a loop.
"""

from typing import Any

import numpy as np
import skl2onnx
from sklearn.tree import DecisionTreeRegressor
from sklearn.tree._tree import Tree

DEPTH = 20_000


def deep_tree() -> Any:
    """A regressor whose tree is one long chain: `x` gives the odd number 2·x + 1, up to a limit."""
    rows = np.arange(16.0).reshape(-1, 1)
    model = DecisionTreeRegressor().fit(rows, rows[:, 0])
    state = model.tree_.__getstate__()
    count = 2 * DEPTH + 1
    nodes = np.zeros(count, dtype=state["nodes"].dtype)
    nodes["weighted_n_node_samples"] = nodes["n_node_samples"] = 1
    inner = np.arange(0, count - 1, 2)
    nodes["left_child"] = nodes["right_child"] = -1
    nodes["feature"] = nodes["threshold"] = -2
    nodes["left_child"][inner], nodes["right_child"][inner] = inner + 1, inner + 2
    nodes["feature"][inner], nodes["threshold"][inner] = 0, inner / 2 + 0.5
    tree = Tree(1, np.array([1], dtype=np.intp), 1)
    values = np.arange(count, dtype=np.float64).reshape(-1, 1, 1)
    tree.__setstate__(
        {**state, "max_depth": DEPTH, "node_count": count, "nodes": nodes, "values": values}
    )
    model.tree_ = tree
    return model


def deep_graph() -> bytes:
    """The same as ONNX."""
    exported = skl2onnx.to_onnx(
        deep_tree(), np.zeros((1, 1), np.float32), target_opset={"": 18, "ai.onnx.ml": 3}
    )
    return bytes(exported.SerializeToString())
