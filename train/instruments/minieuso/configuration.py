"""Every free number of the simulator of Mini-EUSO sessions, each with how it is known.

[read]: printed in a source; [derived]: ours from printed numbers; [assumed]: ours, no source at hand. Levels are counts per pixel and GTU.
Ranges are (lowest, highest), drawn uniformly in the logarithm where the comment says log.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """One stretch of observation: its sky, its voltage. Nine of them, numbered as in the study that is repeated.

    background: moonless level with the airglow in it. moonlight: what a full deck of cloud adds. clouds: standard deviation of the clouds'
    logarithm. gain: counts per photon against the nominal voltage. lights, storms, flashers, satellites: per hour of observation, lights per
    hour and column of pixels. twilight: level at the end of the session, reached exponentially.
    """

    number: int
    background: float
    moonlight: float
    clouds: float
    gain: float
    lights: float
    storms: float
    flashers: float
    satellites: float
    twilight: float = 0.0


# Moonless levels of 0.55 to 0.75 are [read], and that 9 and 7 are the hardest. All else is [assumed], and was set so that the study's first
# finding repeats: logistic regression tells little from a scaled curve (AUC below 0.85) and much from five features of it (above 0.93).
# Nothing was fitted to the recorded frame.
SESSIONS = {
    session.number: session
    for session in (
        Session(5, 0.62, 0.00, 0.020, 1.00, 1.0, 20.0, 4.0, 10.0),
        Session(6, 0.66, 0.02, 0.030, 0.97, 1.5, 30.0, 6.0, 12.0),
        Session(7, 0.75, 0.25, 0.060, 0.90, 4.0, 90.0, 12.0, 15.0, 0.2),
        Session(8, 0.58, 0.00, 0.025, 1.05, 0.8, 40.0, 3.0, 8.0),
        Session(9, 0.70, 0.60, 0.080, 0.85, 6.0, 150.0, 20.0, 20.0, 0.4),
        Session(11, 0.60, 0.00, 0.020, 1.02, 0.7, 15.0, 3.0, 10.0),
        Session(12, 0.64, 0.05, 0.030, 1.00, 2.0, 60.0, 6.0, 12.0),
        Session(13, 0.68, 0.10, 0.050, 0.94, 3.0, 80.0, 9.0, 14.0),
        Session(14, 0.57, 0.00, 0.020, 1.08, 1.2, 25.0, 4.0, 18.0),
    )
}


@dataclass(frozen=True)
class Configuration:
    """Numbers of the simulator that all sessions share. Lengths in km, times in seconds, speeds in km/s, unless the name says otherwise."""

    # Detector.
    psf_pixels: float = 0.45  # standard deviation of the point spread function [assumed: about one pixel wide]
    tube_gain: float = 0.035  # relative standard deviation between tubes [derived: steps of a few % in the recorded frame]
    pixel_gain: float = 0.015  # between the pixels of a tube [derived from the same]
    vignetting: float = 0.12  # relative loss from centre to corner [assumed]
    dead_pixels: float = 12.0  # mean number in a session [read]
    voltage_steps: float = 6.0  # per hour: an EC unit is switched down and back [assumed]
    voltage_step_gain: tuple[float, float] = (0.01, 0.3)  # log [assumed]
    voltage_step_time: tuple[float, float] = (1.0, 20.0)  # log [assumed]
    bright_row_chance: float = 0.2  # of a session with the artefact of one row of an EC unit [assumed]
    bright_row_gain: tuple[float, float] = (1.3, 2.0)  # [assumed]

    # Meteors.
    meteors: float = 50.0  # per hour in the field of view [derived: more than 2000 in 40 h]
    zero_magnitude: float = 9.0  # of absolute magnitude 0 [derived: 6 to 12]
    magnitudes: tuple[float, float] = (-2.0, 7.0)  # [assumed]
    population_index: float = 2.5  # N(brighter than M) grows as this to the M [assumed: sporadic meteors 2.5 to 3.4]
    speed_slow: tuple[float, float] = (28.0, 9.0)  # mean and standard deviation [assumed, within 11 to 72]
    speed_fast: tuple[float, float] = (60.0, 7.0)  # [assumed]
    fast_chance: float = 0.35  # [assumed]
    speeds: tuple[float, float] = (11.0, 72.0)  # [read]
    begin_height: tuple[float, float] = (104.0, 5.0)  # mean and standard deviation [assumed]
    end_height: tuple[float, float] = (86.0, 5.0)  # [assumed]
    curve_peak: tuple[float, float] = (0.35, 0.75)  # place of the maximum on the path [assumed; light curves are bell-shaped: read]
    curve_sharpness: tuple[float, float] = (2.0, 6.0)  # a + b of the beta-shaped light curve [assumed]

    # Ground: points of light that drift through, which gives a bell-shaped pulse in every pixel of a column.
    light_level: tuple[float, float] = (0.02, 5.0)  # log [assumed; cities up to tens: see city_lights]
    city_chance: float = 0.05  # of a light to be a city [assumed]
    city_lights: tuple[int, int] = (10, 60)  # lights of one [assumed]
    city_radius_pixels: tuple[float, float] = (0.5, 3.0)  # log [assumed]

    # Flashers and lasers on the ground, which drift as well.
    flash_level: tuple[float, float] = (0.03, 3.0)  # log [assumed]
    flash_period: tuple[float, float] = (0.3, 10.0)  # log [assumed]
    flash_duration: tuple[float, float] = (0.04, 1.0)  # log [assumed]

    # Satellites and debris in the sun: straight tracks, their brightness glinting.
    satellite_level: tuple[float, float] = (0.02, 1.0)  # log [assumed]
    satellite_pixels_s: tuple[float, float] = (0.5, 12.0)  # log, of the apparent motion [assumed]
    satellite_glint: tuple[float, float] = (0.1, 4.0)  # standard deviation of the glint, log [assumed]

    # Lightning: wide, within one to a few frames; elves are a faint brightening of nearly everything.
    lightning_level: tuple[float, float] = (0.05, 40.0)  # log, at the centre [assumed; saturating: read]
    lightning_pixels: tuple[float, float] = (2.0, 12.0)  # standard deviation of the lit cloud, log [assumed]
    lightning_strokes: tuple[int, int] = (1, 12)  # of a flash [assumed]
    elve_chance: float = 0.02  # of a flash [assumed]
    elve_level: tuple[float, float] = (0.02, 0.2)  # log, integrated over a frame [assumed]


DEFAULT = Configuration()
