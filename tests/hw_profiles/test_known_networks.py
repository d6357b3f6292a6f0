from itertools import pairwise
from math import ceil

import pytest

from hw_profiles.known_networks import networks
from hw_profiles.work import Work, works

# Multiply-accumulates and weights (neither biases nor normalisation), counted by hooks in the models that frameworks build.
KERAS = {  # tf.keras.applications, keras 3.15.1
    "mobilenet-v1-1.0-224": (568_740_352, 4_209_088),
    "mobilenet-v1-0.5-160": (76_524_800, 1_319_648),
    "mobilenet-v1-0.25-128": (13_570_048, 463_600),
    "mobilenet-v2-1.0-224": (300_774_272, 3_469_760),
    "mobilenet-v3-large-224": (216_589_760, 5_451_272),
    "mobilenet-v3-small-224": (56_510_400, 2_525_832),
    "resnet-50-v1-224": (3_857_973_248, 25_502_912),
    "resnet-50-v1-299": (7_211_875_072, 25_502_912),
    "resnet-50-v2-299": (6_536_211_200, 25_502_912),
    "resnet-152-v2-299": (20_210_821_888, 60_040_384),
    "vgg16-224": (15_470_264_320, 138_344_128),
    "vgg19-224": (19_632_062_464, 143_652_544),
    "inception-v3-299": (5_713_216_096, 23_799_136),
    "inception-resnet-v2-299": (13_155_794_016, 55_736_160),
    "densenet-121-224": (2_834_161_664, 7_894_208),
}
TORCHVISION = {  # torchvision 0.29.2
    "resnet-18-224": (1_814_073_344, 11_678_912),
    "resnet-50-v1.5-224": (4_089_184_256, 25_502_912),
    "wide-resnet-50-2-224": (11_398_021_120, 68_814_016),
    "inception-v1-224": (1_498_376_192, 6_609_344),
    "squeezenet-1.0-224": (818_924_576, 1_244_448),
    "squeezenet-1.1-224": (349_151_936, 1_231_552),
}
TIMM = {  # timm 1.0.31
    "inception-v4-299": (12_253_974_624, 42_615_648),
    "efficientnet-lite0": (385_187_552, 4_608_992),
    "efficientnet-lite1": (600_185_232, 5_362_016),
    "efficientnet-lite2": (859_736_272, 6_032_976),
    "efficientnet-lite3": (1_383_321_872, 8_119_424),
    "efficientnet-lite4": (2_553_034_336, 12_893_200),
}
EFFDET = {  # effdet 0.4.1; heads shared by all levels
    "efficientdet-lite0": (973_589_696, 3_193_184),
    "efficientdet-lite1": (1_966_649_904, 4_180_528),
    "efficientdet-lite2": (3_371_304_384, 5_173_104),
    "efficientdet-lite3": (7_480_187_904, 8_235_904),
    "efficientdet-lite3x": (13_978_127_600, 9_155_904),
    "efficientdet-lite4": (20_168_084_000, 14_958_864),
}
MLPERF = {  # mlcommons/tiny@1afd2c9, TFLite files
    "mlperf-tiny-ad": (264_192, 264_192),
    "mlperf-tiny-kws": (2_656_768, 22_016),
    "mlperf-tiny-ic": (12_501_632, 77_360),
    "mlperf-tiny-vww": (7_489_664, 208_112),
}
PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
ROUNDED = 0.01


@pytest.fixture(scope="module")
def built():
    return {name: build() for name, build in networks().items()}


def macs(network):
    found = works(network)
    assert all(isinstance(work, Work) for work in found), [work for work in found if not isinstance(work, Work)]
    return sum(work.macs for work in found)


def weights(network):
    """Each once, as a file holds them."""
    return sum({id(operator.inputs[1]): operator.inputs[1].elements for operator in network.operators if operator.kind in PRODUCTS}.values())


@pytest.mark.parametrize(("name", "counted"), [*(KERAS | TORCHVISION | TIMM | MLPERF).items()])
def test_a_network_multiplies_and_weighs_what_a_framework_counts(built, name, counted):
    assert (macs(built[name]), weights(built[name])) == counted


@pytest.mark.parametrize(("name", "counted"), EFFDET.items())
def test_a_detector_multiplies_what_a_framework_counts_with_heads_of_each_level(built, name, counted):
    repeats, channels = {"0": (3, 64), "1": (3, 88), "2": (3, 112), "3": (4, 160), "3x": (4, 200), "4": (4, 224)}[name.removeprefix("efficientdet-lite")]
    assert (macs(built[name]), weights(built[name])) == (counted[0], counted[1] + 4 * 2 * repeats * channels**2)  # levels more, two heads


@pytest.mark.parametrize(("name", "giga_operations"), [("efficientnet-edgetpu-s", 4.72), ("efficientnet-edgetpu-m", 7.34), ("efficientnet-edgetpu-l", 19.36)])
def test_efficientnet_edgetpu_has_the_published_operations(built, name, giga_operations):
    """docs.amd.com/r/2.0-English/ug1354-xilinx-ai-sdk/VCK190-Evaluation-Board: two operations a multiply-accumulate."""
    assert macs(built[name]) * 2 == pytest.approx(giga_operations * 1e9, rel=ROUNDED)


@pytest.mark.parametrize(("name", "parameters"), [("efficientnet-edgetpu-s", 5_385_952), ("efficientnet-edgetpu-m", 6_830_688),
                                                  ("efficientnet-edgetpu-l", 10_496_504)])
def test_efficientnet_edgetpu_has_the_weights_that_timm_counts(built, name, parameters):
    assert weights(built[name]) == parameters  # timm halves the sides elsewhere, so its multiply-accumulates are others


@pytest.mark.parametrize(("name", "million_macs", "million_parameters"), [
    ("mobilenet-v1-1.0-224", 569, 4.24), ("mobilenet-v1-0.5-160", 77, 1.34), ("mobilenet-v1-0.25-128", 14, 0.47), ("mobilenet-v2-1.0-224", 300, 3.47),
])
def test_mobilenets_are_those_of_their_authors(built, name, million_macs, million_parameters):
    """tensorflow/models: research/slim/nets/mobilenet_v1.md and mobilenet/README.md, rounded there."""
    assert macs(built[name]) == pytest.approx(million_macs * 1e6, abs=0.9e6)
    assert weights(built[name]) == pytest.approx(million_parameters * 1e6, rel=0.025)  # theirs count normalisation too


@pytest.mark.parametrize(("name", "megabytes", "partitions"), [("efficientdet-lite0", 13.6828, 13), ("efficientdet-lite1", 18.1733, 17),
                                                              ("efficientdet-lite2", 22.7969, 21)])
def test_detectors_are_those_whose_latencies_were_published(built, name, megabytes, partitions):
    """Float32 files and partitions of the log, NobuoTsukamoto/benchmarks@339f3bd: tensorflow/lite/efficentdet/results/RasPi5.

    The file holds four bytes for each weight and bias and an anchor's box of four numbers; XNNPACK takes all but the resizes, which cut the graph.
    """
    network = built[name]
    biases = sum(operator.inputs[2].elements for operator in network.operators if operator.kind in PRODUCTS)
    anchors = network.outputs[0].elements
    assert 4e-6 * (weights(network) + biases + anchors) == pytest.approx(megabytes, rel=ROUNDED)
    assert sum(operator.kind == "RESIZE_NEAREST_NEIGHBOR" for operator in network.operators) == partitions - 1


def test_a_detector_tells_90_scores_and_a_box_for_each_anchor(built):
    for name, side in (("efficientdet-lite0", 320), ("efficientdet-lite4", 640)):
        anchors = sum(ceil(side / stride) ** 2 for stride in (8, 16, 32, 64, 128)) * 9
        assert [tensor.shape for tensor in built[name].outputs] == [(1, anchors, 4), (1, anchors, 90)]


def test_residuals_pools_and_concatenations_are_there_for_they_cost(built):
    def count(name, kind):
        return sum(operator.kind == kind for operator in built[name].operators)

    assert count("resnet-50-v1-224", "ADD") == 16 and count("mobilenet-v2-1.0-224", "ADD") == 10 and count("mlperf-tiny-ic", "ADD") == 3
    assert count("inception-v1-224", "CONCATENATION") == 9 and count("densenet-121-224", "CONCATENATION") == 58
    assert count("resnet-50-v2-299", "MUL") == 17 and count("densenet-121-224", "MUL") == 62  # normalisation that no convolution precedes
    assert count("vgg16-224", "MAX_POOL_2D") == 5 and count("inception-v3-299", "AVERAGE_POOL_2D") == 9


@pytest.mark.parametrize("name", networks())
def test_each_operator_takes_what_came_before_and_constants_take_no_memory(built, name):
    network = built[name]
    known = {id(tensor) for tensor in network.inputs}
    for operator in network.operators:
        for tensor in operator.inputs:
            assert tensor.values is not None or id(tensor) in known, f"{operator.kind} takes what is made later"
            assert tensor.values is None or (tensor.values.shape == tensor.shape and (tensor.values.size <= 8 or tensor.values.base.nbytes <= 4))
        known |= {id(tensor) for tensor in operator.outputs}
    assert {id(tensor) for tensor in network.outputs} <= known
    assert network.name == name and network.file_bytes >= weights(network)


def test_nothing_is_computed_in_vain(built):
    for network in built.values():
        read = {id(tensor) for operator in network.operators for tensor in operator.inputs} | {id(tensor) for tensor in network.outputs}
        assert all(id(tensor) in read for operator in network.operators for tensor in operator.outputs), network.name


def test_families_grow_in_order(built):
    for names in (("mlperf-tiny-ad", "mlperf-tiny-kws", "mlperf-tiny-vww", "mlperf-tiny-ic"), tuple(EFFDET), tuple(f"efficientnet-lite{n}" for n in range(5))):
        assert all(macs(built[one]) < macs(built[other]) for one, other in pairwise(names))
