"""What runs inside TensorFlow's own process, started by `benchmarks.foreign`: networks of Keras, converted as its users do.

    python -m benchmarks.foreign_tensorflow FOLDER SEED
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

layers = tf.keras.layers
Change = Callable[[Any], None]


def _dense() -> Any:
    return _sequential((48,), layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(2, "softmax"))


def _plane() -> Any:
    return _sequential((16, 16, 3), layers.Conv2D(8, 3, padding="same", activation="relu"), layers.MaxPooling2D(), layers.Conv2D(16, 3, strides=2),
                       layers.ReLU(6.0), layers.GlobalAveragePooling2D(), layers.Dense(5))


def _separable() -> Any:
    return _sequential((24, 24, 3), layers.Conv2D(8, 3, strides=2), layers.DepthwiseConv2D(3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
                       layers.Conv2D(16, 1), layers.Flatten(), layers.Dense(4))


def _series() -> Any:
    return _sequential((256, 3), layers.Conv1D(8, 5, strides=2, activation="relu"), layers.Conv1DTranspose(3, 4, strides=2))


def _two_inputs() -> Any:
    one, other = layers.Input((8, 8, 2), batch_size=1), layers.Input((4,), batch_size=1)
    joined = layers.Concatenate()([layers.Flatten()(layers.Conv2D(4, 3)(one)), layers.Dense(6)(other)])
    return tf.keras.Model([one, other], [layers.Dense(3)(joined), layers.Dense(1, "sigmoid")(joined)])


def _any_shape() -> Any:
    return tf.keras.Sequential([layers.Input((None, None, 1)), layers.Conv2D(4, 3, padding="same", activation="relu"), layers.Conv2D(1, 1)])


def _lstm() -> Any:
    return _sequential((20, 6), layers.LSTM(12), layers.Dense(2))


def _lstm_unrolled() -> Any:
    return _sequential((10, 6), layers.LSTM(8, unroll=True), layers.Dense(2))  # its calibrator dies of the one operator (2.21)


def _sequential(shape: tuple[int, ...], *rest: Any) -> Any:
    return tf.keras.Sequential([layers.Input(shape, batch_size=1), *rest])


def _loop() -> Any:
    """A loop with a body of its own, left at run time."""
    module = tf.Module()
    module.weights = tf.Variable(tf.random.stateless_normal((8, 8), (1, 2)) / 4)

    @tf.function(input_signature=[tf.TensorSpec((1, 8), tf.float32)])
    def network(x: Any) -> Any:
        return tf.while_loop(lambda step, _: step < 5, lambda step, y: (step + 1, tf.tanh(tf.matmul(y, module.weights))), (0, x))[1]

    return module, network


def _words() -> Any:
    """An operator that only TensorFlow itself has, on text."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((1,), tf.string)])
    def network(x: Any) -> Any:
        return tf.strings.length(tf.strings.lower(x))

    return module, network


def _int8(converter: Any) -> None:
    _dynamic_range(converter)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _int16(converter: Any) -> None:
    _dynamic_range(converter)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]


def _dynamic_range(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _float16(converter: Any) -> None:
    _dynamic_range(converter)
    converter.target_spec.supported_types = [tf.float16]


def _with_tensorflow(converter: Any) -> None:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]


def _as_it_is(converter: Any) -> None:
    """Floats."""


# Name of the file, what makes the network, what is asked of the converter, and whether it sees representative inputs.
FILES: tuple[tuple[str, Callable[[], Any], Change, bool], ...] = (
    ("dense_int8", _dense, _int8, True), ("dense_dynamic_range", _dense, _dynamic_range, False), ("plane_float", _plane, _as_it_is, False),
    ("plane_int8", _plane, _int8, True), ("plane_float16", _plane, _float16, False), ("separable_int8", _separable, _int8, True),
    ("series_int16", _series, _int16, True), ("two_inputs_float", _two_inputs, _as_it_is, False), ("any_shape_float", _any_shape, _as_it_is, False),
    ("lstm_float", _lstm, _as_it_is, False), ("lstm_unrolled_int8", _lstm_unrolled, _int8, True), ("loop_float", _loop, _as_it_is, False),
    ("words_tensorflow", _words, _with_tensorflow, False),
)


def _converted(network: Any, change: Change, representative: bool) -> bytes:
    if isinstance(network, tuple):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([network[1].get_concrete_function()], network[0])
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
    change(converter)
    if representative:
        rng = np.random.default_rng(1)
        shapes = [[length or 1 for length in one.shape] for one in network.inputs]
        converter.representative_dataset = lambda: ([rng.normal(0, 1, shape).astype(np.float32) for shape in shapes] for _ in range(20))
    return converter.convert()


if __name__ == "__main__":
    for name, make, change, representative in FILES:
        tf.keras.utils.set_random_seed(int(sys.argv[2]))
        (Path(sys.argv[1]) / f"{name}.tflite").write_bytes(_converted(make(), change, representative))
