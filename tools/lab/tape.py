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
The way back is a branch that is taken where `wanted` is true; else a pass costs what the way forward costs.

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
SIDE, CLASSES = 224, 1000
OPSET = 17
GATES = {"backprop": (0.0, 1.0), "deconvnet": (1.0, 0.0), "guided": (0.0, 0.0)}

Back = Callable[[str], str]
"""From the name of a signal above a layer to the name of the signal below it."""


@dataclass
class Tape:
    """Nodes and weights written so far, and how each layer goes back."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    back: list[Back] = field(default_factory=list)
    count: int = 0

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Write a node; the name of its result."""
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def weight(self, values: Tensor | np.ndarray) -> str:
        """Write numbers down; their name."""
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def either(self, condition: str, then: Callable[[], str], otherwise: np.ndarray) -> str:
        """Nodes that are run where a condition is true, else a constant; the name of what comes out."""
        outside, self.nodes = self.nodes, []
        result = then()
        branch = helper.make_graph(self.nodes, "then", [], [onnx.ValueInfoProto(name=result)])
        self.nodes = outside
        constant = helper.make_node("Constant", [], ["nothing"], value=numpy_helper.from_array(otherwise))
        other = helper.make_graph([constant], "otherwise", [], [onnx.ValueInfoProto(name="nothing")])
        return self.node("If", condition, then_branch=branch, else_branch=other)

    def convolution(self, x: str, layer: nn.Module, side: int) -> tuple[str, int]:
        """A convolution with "same" padding, and how it goes back; the side of its result in pixels."""
        weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
        groups, stride, kernel = int(layer.groups), int(layer.stride[0]), weight.shape[-1]  # type: ignore[index, arg-type]
        padding = same_padding(torch.empty(1, 1, side, side), weight, (stride, stride))
        pads = [before for before, _ in padding] + [after for _, after in padding]
        W = self.weight(weight)
        options = {"strides": [stride, stride], "pads": pads, "group": groups, "kernel_shape": [kernel, kernel]}
        y = self.node("Conv", x, W, self.weight(bias), **options)
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

    def relu6(self, z: str) -> str:
        """A ReLU6, and the rule."""
        y = self.node("Clip", z, "zero", "six")

        def back(g: str) -> str:
            inside = self.node("And", self.node("Greater", y, "zero"), self.node("Less", y, "six"))
            gated = self.node("Mul", g, self.node("Where", inside, "one", "gate"))
            return self.node("PRelu", gated, "slope")

        self.back.append(back)
        return y

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
                x = self.relu6(x)
            elif not isinstance(layer, nn.Identity):
                x, side = self.convolution(x, layer, side)
        return x, side


def through(back: list[Back], g: str) -> str:
    """A signal, all the way back."""
    for step in reversed(back):
        g = step(g)
    return g


def lite0() -> onnx.ModelProto:
    """The graph: `image` (1, 3, 224, 224) in [0, 1] and `INPUTS` to `scores`, `cams` (1000, 49), and `gradient`."""
    network, tape = fast_lite(NAME), Tape()
    *layers, classifier = network.children()
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    scale = tape.weight((1 / std).astype(np.float32))
    x = tape.node("Mul", tape.node("Sub", "image", tape.weight(mean)), scale)
    features, side = tape.layers(x, layers, SIDE)
    pooled = tape.node("Flatten", tape.node("GlobalAveragePool", features))
    W = tape.weight(classifier.get_parameter("weight"))
    scores = tape.node("Gemm", pooled, W, tape.weight(classifier.get_parameter("bias")), transB=1)
    share = tape.weight(np.array([1 / side**2], np.float32))
    flat = tape.node("Reshape", features, tape.weight(np.array([-1, side**2])))
    cams = tape.node("Mul", tape.node("MatMul", W, flat), share)

    def back() -> str:
        g = tape.node("Mul", tape.node("MatMul", "cotangent", W), share)
        g = tape.node("Reshape", g, tape.weight(np.array([1, -1, 1, 1])))
        return tape.node("Mul", through(tape.back, g), scale)

    gradient = tape.either("wanted", back, np.zeros((1, 3, SIDE, SIDE), np.float32)[..., :1, :1])
    results = {"scores": scores, "cams": cams, "gradient": gradient}
    tape.nodes += [helper.make_node("Identity", [result], [name]) for name, result in results.items()]
    return model(tape, side**2)


INPUTS = {"image": [1, 3, SIDE, SIDE], "cotangent": [1, CLASSES], "gate": [1], "slope": [1], "wanted": []}
"""What the graph takes; `wanted` is true or false."""


def model(tape: Tape, cells: int) -> onnx.ModelProto:
    """The file that a tape becomes."""
    kinds = {"wanted": TensorProto.BOOL}
    outputs: dict[str, list[int | str]] = {"scores": [1, CLASSES], "cams": [CLASSES, cells]}
    outputs["gradient"] = [1, 3, "height", "width"]
    numbers = [
        helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("zero", 0.0), ("one", 1.0), ("six", 6.0))
    ]
    graph = helper.make_graph(
        tape.nodes,
        NAME,
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), shape) for n, shape in INPUTS.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [*tape.weights, *numbers],
    )
    opset = helper.make_opsetid("", OPSET)
    result = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="saliency_lib")
    onnx.checker.check_model(result)
    return result
