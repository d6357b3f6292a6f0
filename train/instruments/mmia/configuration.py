"""Every free number of the scene simulator in one frozen record, each with how it is known.

[read]: printed in a source; [derived]: recovered by us from published figures or tables; [assumed]: ours, no source at hand.
Ranges are (lowest, highest); "log" in a comment means drawn uniformly in the logarithm.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Configuration:
    """Numbers of the simulator. Times in seconds, lengths in metres, fluxes in uW/m2, rates per second unless the name says otherwise."""

    # Recording.
    event_frames: tuple[int, ...] = (3, 4, 5, 6, 7, 8, 9)  # [derived] lengths of 50 recorded events, at most about 0.72 s
    event_frames_weights: tuple[float, ...] = (0.18, 0.06, 0.04, 0.10, 0.04, 0.02, 0.56)  # [derived] two-humped: 0.25 s and the maximum
    event_interval: float = 53.0  # mean between triggers at night [derived: 819 files a day, half of it night]

    # Background, expected counts per bin, log; UV differs between events, hardly within one.
    background_337: tuple[float, float] = (0.004, 2.2)  # [derived] quiet halves of six recordings
    background_uv: tuple[float, float] = (0.51, 6.0)  # [derived]
    background_777: tuple[float, float] = (0.062, 2.1)  # [derived]
    background_drift: float = 0.03  # standard deviation of its relative change over an event [assumed]

    # Hits of particles: one bin, one channel, never together; some leave a glow of the phototube's window behind.
    hits_low_337: tuple[float, float] = (4.0, 20.0)  # log; at most one in 50 ms outside the belts [derived upper end, assumed lower end]
    hits_high_337: tuple[float, float] = (300.0, 600.0)  # radiation belts and South Atlantic [derived]
    hits_777_per_337: float = 0.47  # [derived] 280 Hz beside 600 Hz; none seen in UV
    hit_counts_337: tuple[float, float, float] = (5.0, 13.0, 54.0)  # lowest, median, highest [derived]
    hit_counts_777: tuple[float, float, float] = (7.0, 17.0, 46.0)  # [derived]
    hit_glow_chance: float = 0.5  # [assumed] luminescence of phototube windows in radiation; the recorded hits of `particle_hits` have such tails
    hit_glow_share: tuple[float, float] = (0.1, 3.0)  # photons of the glow per photon of the hit, log [assumed, wide; fitted to nothing]
    hit_glow_decay: tuple[float, float] = (10e-6, 100e-6)  # log [assumed, wide; fitted to nothing]
    hit_regime_weights: tuple[float, float, float] = (0.25, 0.55, 0.20)  # none, low, high in scenes of light and in the mix [assumed]

    # Cloud: first-hitting response of a diffusing medium. Reference 100 drops per cm3 of radius 10 um, source 1 km below the top.
    drop_radius_um: tuple[float, float] = (10.0, 20.0)  # log [read]
    diffusion_time_1km: float = 20.6e-6  # [derived, Mie] 20, 21, 22 us at 337, 777, 205 nm; grows as depth^2 radius^2
    absorption_time_337: float = 19.1e-3  # [derived, Mie] at 10 um; falls as radius^-3
    absorption_time_uv: float = 1.08e-3  # [derived, Mie]
    absorption_time_777: float = 2.47e-3  # [derived, Mie]

    # Lightning.
    flash_pulses: tuple[int, int] = (5, 20)  # [read] about 16 a flash from the U-2
    flash_series: tuple[float, float, float] = (0.4, 0.4, 0.2)  # chance of 1, 2, 3 series in a flash [assumed]
    series_interval: float = 0.1  # least time between series [read]
    pulse_interval: tuple[float, float] = (3e-3, 15e-3)  # mean within a series, log [derived: several pulses per 50 ms]
    flash_depth: tuple[float, float] = (1.2e3, 5e3)  # below cloud top, log [read: 1 to 5 km]
    pulse_depth_spread: float = 0.15  # relative, within a flash [assumed]
    source_rise: tuple[float, float] = (130e-6, 600e-6)  # log [assumed, so that 777 rises in 0.26 to 1.14 ms once out of the cloud]
    source_decay: tuple[float, float] = (130e-6, 500e-6)  # log [assumed; effective widths of about 400 to 590 us are seen]
    peak_777: tuple[float, float] = (0.0316, 31.6)  # three decades [read]; up to the highest seen, 30.3 [derived]
    flash_peak_median: float = 0.25  # 777, log-normal [assumed]
    flash_peak_spread: float = 0.75  # decades [assumed]
    pulse_peak_spread: float = 0.35  # decades within a flash [assumed]
    flash_337_per_777_spread: float = 0.2  # decades about equal flux [derived: peaks of 26.7 and 30.3; 3 to 1 in flashes with a TGF]
    pulse_337_per_777_spread: float = 0.2  # decades within a flash [assumed]
    continuing_chance: float = 0.1  # per flash [read that it exists; chance assumed]
    continuing_decay: tuple[float, float] = (3e-3, 8e-3)  # log [assumed]
    continuing_peak: tuple[float, float] = (0.03, 0.15)  # of the pulse it follows, log [assumed]
    shallow_chance: float = 0.15  # flashes so high in the cloud that their UV gets out [read that they exist; chance assumed]
    shallow_depth: tuple[float, float] = (2e2, 1e3)  # log [assumed]
    shallow_uv_per_777: tuple[float, float] = (0.05, 1.0)  # photons, log [assumed]

    # BLUE: corona at cloud tops, 337 with 777 faint or absent.
    blue_shallow_chance: float = 0.5  # [read that there are two families; chance assumed]
    blue_shallow_depth: tuple[float, float] = (5e1, 4e2)  # log [assumed, so that light rises within 30 us]
    blue_deep_depth: tuple[float, float] = (2e3, 4e3)  # [read] depth at most 4 km
    blue_rise: tuple[float, float] = (3e-6, 9e-6)  # log [assumed; flashes of about 10 us are read]
    blue_decay: tuple[float, float] = (30e-6, 200e-6)  # log [assumed]
    blue_peak_median: float = 0.8  # 337, log-normal below `blue_bright` [assumed]
    blue_peak_spread: float = 0.75  # decades [assumed]
    blue_peak_lowest: float = 0.03  # [assumed]
    blue_bright: tuple[float, float] = (25.0, 50.0)  # the rare population, log [read lower end, assumed upper end]
    blue_bright_chance: float = 0.08  # [assumed]
    blue_single_chance: float = 0.1  # [read] clean single pulses
    blue_pulses: tuple[int, int] = (2, 6)  # otherwise [assumed]
    blue_interval: tuple[float, float] = (2e-3, 60e-3)  # between its pulses, log [assumed]
    blue_777_chance: float = 0.5  # [assumed]
    blue_777_per_337: tuple[float, float] = (0.003, 0.06)  # flux, log [assumed]
    blue_flash_chance: float = 0.2  # a lightning flash follows [assumed]

    # Elve: UV pulse before the 777 pulse of its parent stroke; above the cloud, so unscattered.
    elve_lead: tuple[float, float] = (50e-6, 90e-6)  # between the 10 % points [read]
    elve_rise: tuple[float, float] = (15e-6, 50e-6)  # log [assumed]
    elve_decay: tuple[float, float] = (60e-6, 200e-6)  # log [assumed; shorter than 1 ms is read]
    elve_peak_counts: tuple[float, float, float, float] = (0.2, 8.0, 120.0, 0.6)  # lowest, median, highest, decades, UV [assumed]
    elve_parent_peak_median: float = 4.0  # 777 [assumed: strokes of 200 kA]
    elve_hidden_chance: float = 0.15  # parent 10 to 100 times fainter, behind or deep in cloud [assumed]

    # Sprites and halos, in the mix only: few ms, above the cloud, 337 and UV without 777, after a bright stroke. Their class is "uv".
    sprite_delay: tuple[float, float] = (1e-3, 40e-3)  # log [assumed]
    sprite_rise: tuple[float, float] = (0.2e-3, 0.5e-3)  # log [assumed]
    sprite_decay: tuple[float, float] = (0.5e-3, 2e-3)  # log [read: few ms]
    sprite_peak_337: tuple[float, float] = (0.2, 8.0)  # log [assumed]
    sprite_peak_uv_counts: tuple[float, float] = (1.0, 30.0)  # log [assumed]

    # Mix of triggers.
    mix_dark_chance: float = 0.4  # recordings without light [assumed; most triggers of a sister instrument are no science]
    mix_weights: tuple[float, float, float, float] = (6404.0, 6404.0 / 12, 504.0, 42.0)  # lightning, BLUE, elve, sprite [read]


DEFAULT = Configuration()
