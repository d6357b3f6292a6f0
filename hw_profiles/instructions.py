"""Instructions that LiteRT's int8 kernels execute for an operator on a 64-bit ARM core: a sum of terms, each a count times a coefficient of the profile.

The terms are the loops of those kernels, XNNPACK's where it takes the operator, TFLite's own where it does not. A product is computed in tiles of
`tile_positions` x `tile_output_channels`, whose size is the core's; what is left of a tile is computed in vain. Coefficients come from counted instructions
(`pixie fit`), so a term that no counted model has is 0, and kinds that were never counted pay for their elements alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from .work import Work

TERMS = (
    "call",
    "operator",
    "product_tile", "product_tap", "product_mac",  # convolutions, and dense layers of several rows
    "dense_tile", "dense_mac",  # dense layers of one row
    "depthwise_place", "depthwise_tap",
    "transposed_start", "transposed_tile", "transposed_tap", "transposed_mac",  # transposed convolutions
    "pool_block",  # maxima and means
    "average_place", "average_element", "average_tap",  # TFLite's own average pool
    "padded_row", "joined_row", "resized_row", "kept_row", "swapped_block",  # codes that only move
    "added_element", "element", "scalar_element",
)  # fmt: skip

COEFFICIENTS = tuple(f"instr_per_{term}" for term in TERMS)  # what a profile calls them
SECONDS = tuple(f"{term}_s" for term in TERMS)  # and where it knows what each takes and not how many instructions
TILE = ("tile_positions", "tile_output_channels", "tile_input_channels")  # and the fields of a Tile
_DEPTHWISE_TAPS = (3, 9, 25)  # XNNPACK's depthwise kernels; a longer filter is a product of one channel
_LANES = 16  # int8 elements of a vector
_HALF_FILLED = 0.7  # cost of 8 lanes or fewer of a depthwise kernel, of that of all 16
_FIRST_TAPS, _MORE_TAPS = 9, 8  # of a pool in its first pass and in each that follows
_LONE = 5  # elements of a vector that TFLite's average pool finishes in the time of one that fills none
_ROWS = {"PAD": "padded_row", "PADV2": "padded_row", "MIRROR_PAD": "padded_row", "CONCATENATION": "joined_row", "RESIZE_NEAREST_NEIGHBOR": "resized_row",
         "TRANSPOSE": "kept_row"}  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """What a core's kernel for products computes at once; `input_channels` are padded to a multiple."""

    positions: int
    output_channels: int
    input_channels: int


def call_terms(works: Iterable[Work], tile: Tile) -> dict[str, float]:
    """Counts by term of a whole call."""
    counts = {**dict.fromkeys(TERMS, 0.0), "call": 1.0}
    for work in works:
        for name, count in terms(work, tile).items():
            counts[name] += count
    return counts


def terms(work: Work, tile: Tile) -> Mapping[str, float]:
    """Counts by term of one operator; none of one that is part of another."""
    if work.group == "fused":
        return {}
    places = work.elements // max(1, work.channels)
    counts: Mapping[str, float]
    match work.group:
        case "dense" if work.positions == 1:
            tiles = ceil(work.output_channels / tile.output_channels)
            counts = {"dense_tile": tiles, "dense_mac": tiles * tile.output_channels * _up(work.input_channels, tile.input_channels)}
        case "conv" | "dense":
            counts = _product(work, tile)
        case "depthwise":
            taps = next((taps for taps in _DEPTHWISE_TAPS if work.taps <= taps), None)
            filled, rest = divmod(work.channels, _LANES)
            vectors = filled + _HALF_FILLED * ceil(rest / (_LANES // 2))
            counts = _product(work, tile) if taps is None else {"depthwise_place": places, "depthwise_tap": places * taps * vectors}
        case "transpose_conv":
            counts = _transposed(work, tile)
        case "max_pool":
            passes = 1 + ceil(max(0, work.taps - _FIRST_TAPS) / _MORE_TAPS)
            counts = {"pool_block": places * passes * (2 + ceil(work.channels / _LANES))}  # a pass costs as much as two of its vectors
        case "average_pool":
            filled, lone = divmod(work.channels, _LANES // 2)
            counts = {"average_place": places, "average_element": places * (filled * _LANES // 2 + lone * _LONE),
                      "average_tap": places * work.taps * ceil(work.channels / _LANES)}
        case "moved":
            counts = {_ROWS[work.kind]: work.rows}
        case "swapped":  # the last axis becomes another: blocks of 16 x 16
            counts = {"swapped_block": ceil(work.row / _LANES) * ceil(work.elements / work.row / _LANES)}
        case "meta":
            counts = {}
        case _:
            counts = {{"added": "added_element", "scalar": "scalar_element"}.get(work.group, "element"): work.elements}
    return {"operator": 1.0, **counts}


def _product(work: Work, tile: Tile) -> dict[str, float]:
    tiles = work.repeats * ceil(work.positions / tile.positions) * ceil(work.output_channels / tile.output_channels)
    return _tiles(tiles, work.taps, work.input_channels, tile, "product")


def _transposed(work: Work, tile: Tile) -> dict[str, float]:
    """Each residue of the stride is a convolution of its own with its part of the taps; no tile goes beyond a row."""
    phases = max(1, round(work.elements / work.output_channels / work.positions))
    starts = phases * work.positions // work.row * ceil(work.row / tile.positions)
    found = _tiles(starts * ceil(work.output_channels / tile.output_channels), work.taps / phases, work.input_channels, tile, "transposed")
    return {"transposed_start": starts, **found}


def _tiles(tiles: int, taps: float, input_channels: int, tile: Tile, name: str) -> dict[str, float]:
    each = tile.positions * tile.output_channels * _up(input_channels, tile.input_channels)
    return {f"{name}_tile": tiles, f"{name}_tap": tiles * taps, f"{name}_mac": tiles * taps * each}


def _up(count: int, step: int) -> int:
    return ceil(count / step) * step
