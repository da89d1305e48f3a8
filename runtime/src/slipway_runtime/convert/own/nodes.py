"""Writes the nodes of one converter: names are made here, arrays become constants."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Name = str
_ML = "ai.onnx.ml"
_ELEMENTS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


class Nodes:
    """The graph of one operator, in the float type of its input (float32, or float64)."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType

        self._scope, self._operator, self._container = scope, operator, container
        self.model = operator.raw_operator
        double = any(isinstance(one.type, DoubleTensorType) for one in operator.inputs)
        self.dtype = np.dtype(np.float64 if double else np.float32)
        self.element = _ELEMENTS[self.dtype.name]

    def rows(self) -> Name:
        """The operator's inputs as one matrix of floats, `[rows, columns]`."""
        names = [self.cast(one.full_name, self.element) for one in self._operator.inputs]
        return names[0] if len(names) == 1 else self.add("Concat", *names, axis=1)

    def inputs(self) -> list[Name]:
        """The operator's inputs, each as it is."""
        return [one.full_name for one in self._operator.inputs]

    def floats(self, value: Any) -> Name:
        """A constant of the graph's float type."""
        return self.constant(np.asarray(value, dtype=self.dtype))

    def integers(self, *values: int) -> Name:
        """A constant of whole numbers."""
        return self.constant(np.array(values, dtype=np.int64))

    def constant(self, array: NDArray[Any]) -> Name:
        name = self._name("constant")
        if array.dtype.kind in "OU":
            texts: Any = [str(value).encode() for value in array.ravel()]
            tensor = helper.make_tensor(name, TensorProto.STRING, array.shape, texts)
        else:
            tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._container.initializers.append(tensor)
        return name

    def add(self, kind: str, *inputs: Name, domain: str = "", **attributes: Any) -> Name:
        """Add a node of one output, and give the output's name."""
        name = self._name(kind.lower())
        self._container.add_node(kind, list(inputs), [name], op_domain=domain, **attributes)
        return name

    def add_two(self, kind: str, *inputs: Name, **attributes: Any) -> tuple[Name, Name]:
        """Add a node of two outputs, and give both names."""
        one, two = self._name(kind.lower()), self._name(kind.lower())
        self._container.add_node(kind, list(inputs), [one, two], op_domain="", **attributes)
        return one, two

    def cast(self, name: Name, element: int) -> Name:
        return self.add("Cast", name, to=element)

    def pick(self, rows: Name, columns: NDArray[Any]) -> Name:
        """Some columns of a matrix."""
        return self.add("Gather", rows, self.integers(*columns.tolist()), axis=1)

    def sum(self, name: Name, *, axis: int, keep: bool = False) -> Name:
        return self.add("ReduceSum", name, self.integers(axis), keepdims=int(keep))

    def affine(self, rows: Name, weights: Any, shift: Any = None) -> Name:
        """Rows · weights + shift."""
        product = self.add("MatMul", rows, self.floats(weights))
        return product if shift is None else self.add("Add", product, self.floats(shift))

    def apart(self, rows: Name, points: Any, *, norm: int = 2) -> Name:
        """Sum of |row - point|^norm for each point, `[rows, points]`; exact near a point."""
        wide = self.add("Unsqueeze", rows, self.integers(1))
        difference = self.add("Sub", wide, self.floats(np.asarray(points)[None]))
        kind = {1: "Abs", 2: "Mul"}[norm]
        inputs = (difference,) if norm == 1 else (difference, difference)
        return self.sum(self.add(kind, *inputs), axis=2)

    def first_largest(self, scores: Name) -> Name:
        """The column of the largest score, the first of equal ones, `[rows]`."""
        return self.add("ArgMax", scores, axis=1, keepdims=0)

    def labels(self, places: Name, classes: Any) -> Name:
        """The class at each place."""
        values = np.asarray(classes)
        if values.dtype.kind not in "OU":
            values = values.astype(np.int64)
        return self.add("Gather", self.constant(values), places, axis=0)

    def give(self, *names: Name) -> None:
        """Hand out the operator's outputs, in order; a further one is left out."""
        for name, output in zip(names, self._operator.outputs, strict=False):
            self._container.add_node("Identity", [name], [output.full_name])

    def _name(self, hint: str) -> Name:
        return str(self._scope.get_unique_variable_name(f"slipway_{hint}"))
