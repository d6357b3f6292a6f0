"""Kinds of ONNX operators that several parts of the reader treat alike, with their names in TFLite."""

from math import inf

ELEMENTWISE = {
    "Abs": "ABS", "And": "LOGICAL_AND", "Ceil": "CEIL", "Cos": "COS", "DequantizeLinear": "DEQUANTIZE", "Elu": "ELU", "Equal": "EQUAL", "Exp": "EXP",
    "Floor": "FLOOR", "Gelu": "GELU", "Greater": "GREATER", "GreaterOrEqual": "GREATER_EQUAL", "HardSwish": "HARD_SWISH", "Less": "LESS",
    "LessOrEqual": "LESS_EQUAL", "Log": "LOG", "Max": "MAXIMUM", "Min": "MINIMUM", "Neg": "NEG", "Not": "LOGICAL_NOT", "Or": "LOGICAL_OR",
    "PRelu": "PRELU", "Pow": "POW", "QuantizeLinear": "QUANTIZE", "Relu": "RELU", "Round": "ROUND", "Sigmoid": "LOGISTIC", "Sign": "SIGN",
    "Sin": "SIN", "Sqrt": "SQRT", "Tanh": "TANH", "Where": "SELECT_V2", "Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV",
}  # fmt: skip
FUSING = {"Add", "Sub", "Mul", "Div"}  # with a fused activation
REDUCTIONS = {"ReduceMean": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX", "ReduceMin": "REDUCE_MIN", "ReduceProd": "REDUCE_PROD"}
ACTIVATIONS = {(0.0, inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
