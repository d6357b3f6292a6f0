"""What shines below: pulses of lightning, BLUE, elves and sprites, drawn for one event, and the light of one pulse per bin."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edge_runtime.flagging import CLASSES

from .configuration import Configuration
from .constants import FLUX_PER_COUNT, SAMPLE_TIME
from .optics import cloud_bins, cloud_times, convolve, crossing, shape_samples, source_bins

LIGHTNING, BLUE, UV = (CLASSES.index(name) for name in ("lightning", "blue", "uv"))


@dataclass(frozen=True)
class Pulse:
    """One pulse of light. Its shape is worked out where it is first asked for."""

    light: int  # index in CLASSES
    start: float  # seconds after the event's first sample
    peak: tuple[float, float, float]  # expected photons in the brightest bin of 337, uv, 777
    rise: float  # seconds, of the source
    decay: float
    diffusion_time: float = 0.0  # seconds, tau_D; 0 above the clouds
    absorption_time: tuple[float, float, float] = (1.0, 1.0, 1.0)  # seconds, tau_A of 337, uv, 777

    @cached_property
    def samples(self) -> int:
        """Bins until nothing of the pulse is left to speak of."""
        bands = zip(self.peak, self.absorption_time, strict=True)
        return max(shape_samples(peak, max(self.rise, self.decay), self.diffusion_time, tau) for peak, tau in bands)

    @cached_property
    def photons(self) -> np.ndarray:
        """Expected photons [3, samples] float64, bin 0 being the one that `start` lies in."""
        source = source_bins(self.rise, self.decay, self.start % SAMPLE_TIME, self.samples)
        shape = np.zeros((3, self.samples))
        for channel in np.flatnonzero(self.peak):
            seen = source
            if self.diffusion_time > 0:
                seen = convolve(source, cloud_bins(self.diffusion_time, self.absorption_time[channel], self.samples))
            shape[channel] = seen * (self.peak[channel] / seen.max())
        return shape

    @property
    def first_sample(self) -> int:
        """Index of bin 0 of `photons` in the event; may be negative."""
        return int(np.floor(self.start / SAMPLE_TIME))

    def onset(self, channel: int) -> float:
        """Seconds after the event's first sample at which a channel reaches 10 % of its peak."""
        return (self.first_sample + crossing(self.photons[channel], 0.1)) * SAMPLE_TIME


class Sky:
    """Draws the pulses of events with one generator and one configuration."""

    def __init__(self, rng: np.random.Generator, configuration: Configuration) -> None:
        self.rng = rng
        self.c = configuration

    def event(self, kind: str, duration: float) -> list[Pulse]:
        """Pulses of one event of `duration` seconds; `kind` is "dark", "lightning", "blue", "elve" or "sprite"."""
        if kind == "dark":
            return []
        return {"lightning": self._flash, "blue": self._blue, "elve": self._elve, "sprite": self._sprite}[kind](duration)

    def _flash(self, duration: float, peak_median: float | None = None, begin: float | None = None) -> list[Pulse]:
        """A lightning flash; `begin`, in seconds, is where its first pulse has to be, with the brightness of the flash undiminished."""
        rng, c = self.rng, self.c
        shallow = rng.random() < c.shallow_chance
        depth = self._log(c.shallow_depth if shallow else c.flash_depth)
        radius = self._log(c.drop_radius_um)
        uv_per_777 = self._log(c.shallow_uv_per_777) if shallow else 0.0
        brightness = self._decades(peak_median or c.flash_peak_median, c.flash_peak_spread, *c.peak_777)
        ratio = 10.0 ** (rng.normal() * c.flash_337_per_777_spread)
        pulses: list[Pulse] = []
        for start in self._flash_times(duration, begin):
            flux_777 = brightness if not pulses and begin is not None else self._decades(brightness, c.pulse_peak_spread, *c.peak_777)
            flux_337 = min(flux_777 * ratio * 10.0 ** (rng.normal() * c.pulse_337_per_777_spread), c.peak_777[1])
            photons_777 = flux_777 / FLUX_PER_COUNT[2]
            tau_d, tau_a = cloud_times(depth * max(0.3, 1.0 + rng.normal() * c.pulse_depth_spread), radius, c)
            pulse = Pulse(LIGHTNING, start, (flux_337 / FLUX_PER_COUNT[0], uv_per_777 * photons_777, photons_777),
                          self._log(c.source_rise), self._log(c.source_decay), tau_d, tau_a)
            pulses.append(pulse)
        if rng.random() < c.continuing_chance:
            pulses.append(self._continuing(pulses[int(rng.integers(len(pulses)))]))
        return pulses

    def _continuing(self, pulse: Pulse) -> Pulse:
        share = self._log(self.c.continuing_peak)
        return replace(pulse, peak=(pulse.peak[0] * share, 0.0, pulse.peak[2] * share), decay=self._log(self.c.continuing_decay))

    def _flash_times(self, duration: float, begin: float | None) -> np.ndarray:
        """Start [k] of the pulses, in series that lie `series_interval` or more apart as far as the event has room."""
        rng, c = self.rng, self.c
        count = int(rng.integers(c.flash_pulses[0], c.flash_pulses[1] + 1))
        series = int(rng.choice(len(c.flash_series), p=c.flash_series)) + 1
        first = duration * rng.random(series) if begin is None else np.append(begin, begin + (duration - begin) * rng.random(series - 1))
        first = np.sort(first)
        first = first[np.append(True, np.diff(first) >= c.series_interval)]
        member = np.append(np.arange(first.size), rng.integers(0, first.size, max(0, count - first.size)))
        times = []
        for k, start in enumerate(first):
            steps = rng.exponential(self._log(c.pulse_interval), int((member == k).sum()))
            steps[0] = 0.0
            times.append(start + np.cumsum(steps))
        return np.concatenate(times)

    def _blue(self, duration: float) -> list[Pulse]:
        rng, c = self.rng, self.c
        shallow = rng.random() < c.blue_shallow_chance
        depth = self._log(c.blue_shallow_depth if shallow else c.blue_deep_depth)
        radius = self._log(c.drop_radius_um)
        if rng.random() < c.blue_bright_chance:
            brightness = self._log(c.blue_bright)
        else:
            brightness = self._decades(c.blue_peak_median, c.blue_peak_spread, c.blue_peak_lowest, c.blue_bright[0])
        flux_777 = self._log(c.blue_777_per_337) if rng.random() < c.blue_777_chance else 0.0
        count = 1 if rng.random() < c.blue_single_chance else int(rng.integers(c.blue_pulses[0], c.blue_pulses[1] + 1))
        pulses: list[Pulse] = []
        start = duration * rng.random()
        for _ in range(count):
            flux = brightness if not pulses else self._decades(brightness, c.pulse_peak_spread, c.blue_peak_lowest, c.blue_bright[1])
            tau_d, tau_a = cloud_times(depth, radius, c)
            pulses.append(Pulse(BLUE, start, (flux / FLUX_PER_COUNT[0], 0.0, flux * flux_777 / FLUX_PER_COUNT[2]),
                                self._log(c.blue_rise), self._log(c.blue_decay), tau_d, tau_a))
            start += self._log(c.blue_interval)
        if rng.random() < c.blue_flash_chance:
            pulses += self._flash(duration, begin=start)
        return pulses

    def _elve(self, duration: float) -> list[Pulse]:
        rng, c = self.rng, self.c
        flash = self._flash(duration, peak_median=c.elve_parent_peak_median, begin=duration * rng.random())
        parent = flash[0]
        peak = self._decades(c.elve_peak_counts[1], c.elve_peak_counts[3], c.elve_peak_counts[0], c.elve_peak_counts[2])
        elve = Pulse(UV, parent.start, (0.0, peak, 0.0), self._log(c.elve_rise), self._log(c.elve_decay))
        lead = rng.uniform(*c.elve_lead)
        elve = replace(elve, start=parent.start + parent.onset(2) - lead - elve.onset(1))
        if rng.random() < c.elve_hidden_chance:
            share = self._log((0.01, 0.1))
            flash = [replace(pulse, peak=(pulse.peak[0] * share, pulse.peak[1] * share, pulse.peak[2] * share)) for pulse in flash]
        return [elve, *flash]

    def _sprite(self, duration: float) -> list[Pulse]:
        c = self.c
        flash = self._flash(duration, peak_median=c.elve_parent_peak_median, begin=duration * self.rng.random())
        peak = (self._log(c.sprite_peak_337) / FLUX_PER_COUNT[0], self._log(c.sprite_peak_uv_counts), 0.0)
        return [Pulse(UV, flash[0].start + self._log(c.sprite_delay), peak, self._log(c.sprite_rise), self._log(c.sprite_decay)), *flash]

    def _log(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return float(low * (high / low) ** self.rng.random())

    def _decades(self, median: float, spread: float, lowest: float, highest: float) -> float:
        """A log-normal draw of `spread` decades, drawn again until it lies between lowest and highest."""
        while True:
            value = float(median * 10.0 ** (spread * self.rng.normal()))
            if lowest <= value <= highest:
                return value
