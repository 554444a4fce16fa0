"""EfficientNet-Lite0 as one ONNX graph: scores, class activation maps of all names and, if wanted, a gradient.

A browser has no automatic differentiation. So the forward pass is written down node by node, as on a tape, and then the
way back, from the last node to the first, with the same weights:

    1x1 convolution         a 1x1 convolution with the transposed weights
    depthwise, stride 1     a depthwise convolution with the flipped kernels
    stride 2                a transposed convolution
    ReLU6 of z              g <- g where 0 < z < 6, else gate g;  then g where g > 0, else slope g
    residual sum            both branches get g, and their answers are added
    mean, linear layer      1/49 of the classes' weights, each times its entry in `cotangent`

The two numbers `gate` and `slope` choose the rule: 0 and 1 give the gradient, 1 and 0 the DeconvNet, 0 and 0 guided
backpropagation (chapter 5). `cotangent` (1, 1000) says which sum of scores is asked for: one class, or a difference.

Each way is a branch. The way back is taken where `wanted` is true. Of the way forward it needs nothing but where each
z lies between 0 and 6, one bit of each: `open`, which a pass gives where `wanted` is true. Who hands it in again as
`known` asks another question about the same image, and spares the way forward; else `known` is empty.

After the last features h nothing follows but a mean and a linear layer, S_c = sum_k W_ck mean_ij h_kij + b_c. So
(W h)_c,ij / 49 is cell ij's share in the score of class c (chapter 7): one matrix product is the class activation maps
of all thousand names at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from saliency_lib.models.networks.efficientnet_lite import MEAN, STD, InvertedResidual, fast_lite, same_padding

NAME = "efficientnet_lite0"
SIDE, CLASSES, CELLS = 224, 1000, 49
OPSET = 17
GATES = {"backprop": (0.0, 1.0), "deconvnet": (1.0, 0.0), "guided": (0.0, 0.0)}

Back = Callable[[str], str]
"""From the name of a signal above a layer to the name of the signal below it."""

Way = Callable[[], list[str]]
"""Writes the nodes of a branch; the names of what comes out of it."""


@dataclass
class Tape:
    """Nodes and weights written so far, and how each layer goes back."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    back: list[Back] = field(default_factory=list)
    channels: int = 0
    """Of what the last convolution put out."""

    outputs: list[tuple[str, int, int]] = field(default_factory=list)
    """What each ReLU6 puts out, its channels, its side in pixels."""

    pieces: list[str] = field(default_factory=list)
    """What of `open` belongs to each ReLU6."""

    count: int = 0

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Write a node; the name of its result."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Write a node of several results; their names."""
        self.count += 1
        names = [f"{kind.lower()}{self.count}" + f"_{i}" * (count > 1) for i in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def weight(self, values: Tensor | np.ndarray) -> str:
        """Write numbers down; their name."""
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def either(self, condition: str, then: Way, otherwise: Way) -> list[str]:
        """Nodes of which those of one way are run: the first where a condition is true. The names of what comes out."""
        branches = {"then_branch": self.branch(then), "else_branch": self.branch(otherwise)}
        return self.several("If", len(branches["then_branch"].output), condition, **branches)

    def branch(self, way: Way) -> onnx.GraphProto:
        """The nodes that a way writes, by themselves."""
        outside, self.nodes = self.nodes, []
        results = [onnx.ValueInfoProto(name=name) for name in way()]
        graph = helper.make_graph(self.nodes, way.__name__, [], results)
        self.nodes = outside
        return graph

    def constant(self, values: np.ndarray) -> str:
        """Numbers that stand in a branch."""
        return self.node("Constant", value=numpy_helper.from_array(values))

    def convolution(self, x: str, layer: nn.Module, side: int) -> tuple[str, int]:
        """A convolution with "same" padding, and how it goes back; the side of its result in pixels."""
        weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
        groups, stride, kernel = int(layer.groups), int(layer.stride[0]), weight.shape[-1]  # type: ignore[index, arg-type]
        padding = same_padding(torch.empty(1, 1, side, side), weight, (stride, stride))
        pads = [before for before, _ in padding] + [after for _, after in padding]
        W = self.weight(weight)
        options = {"strides": [stride, stride], "pads": pads, "group": groups, "kernel_shape": [kernel, kernel]}
        y = self.node("Conv", x, W, self.weight(bias), **options)
        self.channels = len(weight)
        if stride > 1:
            self.back.append(lambda g: self.node("ConvTranspose", g, W, **options))
        elif groups == 1:
            self.back.append(lambda g: self.node("Conv", g, self.node("Transpose", W, perm=[1, 0, 2, 3])))
        else:
            self.back.append(lambda g: self.node("Conv", g, self.flipped(W), **options))
        return y, -(-side // stride)

    def flipped(self, W: str) -> str:
        """Kernels with their rows and columns in reverse."""
        ends = np.array([np.iinfo(np.int64).min] * 2)
        parts = (np.array([-1, -1]), ends, np.array([2, 3]), np.array([-1, -1]))
        return self.node("Slice", W, *(self.weight(part) for part in parts))

    def relu6(self, z: str, side: int) -> str:
        """A ReLU6, and the rule."""
        y, number = self.node("Clip", z, "zero", "six"), len(self.outputs)
        self.outputs.append((y, self.channels, side))

        def back(g: str) -> str:
            gated = self.node("Mul", g, self.node("Where", self.pieces[number], "one", "gate"))
            return self.node("PRelu", gated, "slope")

        self.back.append(back)
        return y

    def inside(self) -> list[str]:
        """Where each ReLU6 lets its input through, one after the other."""
        every = []
        for y, *_ in self.outputs:
            inside = self.node("And", self.node("Greater", y, "zero"), self.node("Less", y, "six"))
            every.append(self.node("Reshape", inside, self.weight(np.array([-1]))))
        return [self.node("Concat", *every, axis=0)]

    def divide(self, whole: str) -> None:
        """Give each ReLU6 what of `open` is its own."""
        counts = np.array([channels * side**2 for _, channels, side in self.outputs])
        parts = self.several("Split", len(counts), whole, self.weight(counts), axis=0)
        shapes = [self.weight(np.array([1, channels, side, side])) for _, channels, side in self.outputs]
        self.pieces = [self.node("Reshape", part, shape) for part, shape in zip(parts, shapes, strict=True)]

    def block(self, x: str, block: InvertedResidual, side: int) -> tuple[str, int]:
        """An inverted residual block."""
        first = len(self.back)
        y, last = self.layers(x, list(block.children()), side)
        if not block.adds_input:
            return y, last
        inner = self.back[first:]
        del self.back[first:]
        self.back.append(lambda g: self.node("Add", g, through(inner, g)))
        return self.node("Add", x, y), last

    def layers(self, x: str, layers: list[nn.Module], side: int) -> tuple[str, int]:
        """Layer after layer."""
        for layer in layers:
            if isinstance(layer, nn.Sequential) and not isinstance(layer, InvertedResidual):
                x, side = self.layers(x, list(layer.children()), side)
            elif isinstance(layer, InvertedResidual):
                x, side = self.block(x, layer, side)
            elif isinstance(layer, nn.ReLU6):
                x = self.relu6(x, side)
            elif not isinstance(layer, nn.Identity):
                x, side = self.convolution(x, layer, side)
        return x, side


def through(back: list[Back], g: str) -> str:
    """A signal, all the way back."""
    for step in reversed(back):
        g = step(g)
    return g


def lite0() -> onnx.ModelProto:
    """The graph of `INPUTS` and `OUTPUTS`: an image (1, 3, 224, 224) in [0, 1] and a question, and what is answered."""
    network, tape = fast_lite(NAME), Tape()
    *layers, classifier = network.children()
    mean, scale = (
        tape.weight(np.array(values, np.float32).reshape(1, 3, 1, 1)) for values in (MEAN, [1 / s for s in STD])
    )
    W, b = (tape.weight(classifier.get_parameter(name)) for name in ("weight", "bias"))
    share = tape.weight(np.array([1 / CELLS], np.float32))

    def forward() -> list[str]:
        x = tape.node("Mul", tape.node("Sub", "image", mean), scale)
        features, _ = tape.layers(x, layers, SIDE)
        pooled = tape.node("Flatten", tape.node("GlobalAveragePool", features))
        scores = tape.node("Gemm", pooled, W, b, transB=1)
        flat = tape.node("Reshape", features, tape.weight(np.array([-1, CELLS])))
        cams = tape.node("Mul", tape.node("MatMul", W, flat), share)
        return [scores, cams, *tape.either("wanted", tape.inside, unasked)]

    def unasked() -> list[str]:
        return [tape.node("Identity", "known")]

    def spared() -> list[str]:
        return [tape.constant(np.zeros((0, 0), np.float32)) for _ in range(2)] + unasked()

    def back() -> list[str]:
        tape.divide(inside)
        g = tape.node("Mul", tape.node("MatMul", "cotangent", W), share)
        g = tape.node("Reshape", g, tape.weight(np.array([1, -1, 1, 1])))
        return [tape.node("Mul", through(tape.back, g), scale)]

    def nothing() -> list[str]:
        return [tape.constant(np.zeros((1, 3, 0, 0), np.float32))]

    fresh = tape.node("Equal", tape.node("Size", "known"), tape.weight(np.array(0)))
    scores, cams, inside = tape.either(fresh, forward, spared)
    (gradient,) = tape.either("wanted", back, nothing)
    results = dict(zip(OUTPUTS, (scores, cams, inside, gradient), strict=True))
    tape.nodes += [helper.make_node("Identity", [result], [name]) for name, result in results.items()]
    return model(tape)


Shape = list[int | str]

INPUTS: dict[str, tuple[int, Shape]] = {
    "image": (TensorProto.FLOAT, [1, 3, SIDE, SIDE]),
    "cotangent": (TensorProto.FLOAT, [1, CLASSES]),
    "gate": (TensorProto.FLOAT, [1]),
    "slope": (TensorProto.FLOAT, [1]),
    "wanted": (TensorProto.BOOL, []),
    "known": (TensorProto.BOOL, ["bits"]),
}
OUTPUTS: dict[str, tuple[int, Shape]] = {
    "scores": (TensorProto.FLOAT, ["images", "classes"]),
    "cams": (TensorProto.FLOAT, ["classes", "cells"]),
    "open": (TensorProto.BOOL, ["bits"]),
    "gradient": (TensorProto.FLOAT, [1, 3, "height", "width"]),
}
"""What is not asked for comes empty."""


def model(tape: Tape) -> onnx.ModelProto:
    """The file that a tape becomes."""
    numbers = [
        helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("zero", 0.0), ("one", 1.0), ("six", 6.0))
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, *form) for name, form in ends.items()] for ends in (INPUTS, OUTPUTS)
    )
    graph = helper.make_graph(tape.nodes, NAME, inputs, outputs, [*tape.weights, *numbers])
    opset = helper.make_opsetid("", OPSET)
    result = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="saliency_lib")
    onnx.checker.check_model(result)
    return result
