"""The catalogue: one JSON object per candidate or track and line (JSON Lines), in the order of the recording."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .flagging import Candidate
    from .pixel_stream import FoundTrack

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry(candidate: "Candidate", bundle_sha256: str) -> dict[str, object]:
    """The fields of a catalogue line. Times in ISO 8601 to the microsecond, null without a clock; ends are the first that no longer belong to it."""
    return {
        "utc_start": utc_text(candidate.utc_start_ns),
        "utc_end": utc_text(candidate.utc_end_ns),
        "sample_start": candidate.sample_start,
        "sample_end": candidate.sample_end,
        "frame": candidate.frame,
        "class": candidate.class_name,
        "score": candidate.score,
        "threshold": candidate.threshold,
        "peak_counts": list(candidate.peak_counts),
        "peak_sample": list(candidate.peak_sample),
        "saturated": candidate.saturated,
        "latent": list(candidate.latent),
        "bundle_sha256": bundle_sha256,
    }


def track_entry(found: "FoundTrack", magnitude_zero: float, bundle_sha256: str) -> dict[str, object]:
    """The fields of a catalogue line of a track. frames: [first, end), of its pixels' brightest; pixels: [row, column] of each; the motion is that
    across the sky at 100 km altitude, its direction from +row towards +column; the absolute magnitude that of the brightest pixel-frame."""
    from .tracking import direction_deg, magnitude, speed_km_s

    track = found.track
    return {
        "utc_start": utc_text(found.utc_start_ns),
        "utc_end": utc_text(found.utc_end_ns),
        "frames": [track.frame_start, track.frame_end],
        "pixels": [list(pixel) for pixel in track.pixels],
        "speed_km_s": round(speed_km_s(track), 2),
        "direction_deg": round(direction_deg(track), 1),
        "magnitude": round(magnitude(track, magnitude_zero), 2),
        "score": track.score,
        "bundle_sha256": bundle_sha256,
    }


def line(fields: dict[str, object]) -> str:
    """One line of the catalogue, with its line end."""
    return json.dumps(fields, allow_nan=False, separators=(",", ":")) + "\n"


def utc_text(utc_ns: int | None) -> str | None:
    """`2019-12-31T03:34:46.000050Z` of ns since 1970-01-01 UTC, whole microseconds (samples are 10 us long); None stays None."""
    if utc_ns is None:
        return None
    return (_EPOCH + timedelta(microseconds=utc_ns // 1000)).isoformat(timespec="microseconds").replace("+00:00", "Z")
