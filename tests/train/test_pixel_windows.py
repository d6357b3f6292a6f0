"""Windows to learn from, found again in the scene that they were cut from and seen there as a board sees them."""

import numpy as np
import pytest

from edge_runtime.frames import FRAME_GTU
from edge_runtime.masking import Masker
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes, PixelWindows
from train.pixels import truth, windows
from train.pixels.truth import KINDS, LIGHT_SNR, LONGEST, SIGNAL_SNR, Noise, meteor_places
from train.pixels.windows import JITTER, MIDDLE, TRANSIENTS, PixelWindowSet, joined, pixel_windows

WANTED, OTHERS = 40, 90  # with a meteor and without; of the first some are masked


class Cut:
    """Windows of one file, with the scene and counts they come from and where in it they lie: pixel [w] and last frame [w]."""

    def __init__(self, session: int, seed: int) -> None:
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(windows, "stretch_of", lambda scene, kept=windows.stretch_of: seen.append((scene, kept(scene))) or seen[-1][1])
            self.windows = windows._from_file(session, WANTED, OTHERS, seed, 0)
        self.lit = int(self.windows.meteor.sum())
        [(self.scene, stretch)] = seen
        self.sums = stretch.sums
        flat = self.sums.reshape(-1, FOCAL_PIXELS)
        places = []
        for counts in self.windows.counts:
            first, pixel = (flat[:1 - WINDOW_FRAMES] == counts[0]).nonzero()
            same = (flat[first[:, None] + np.arange(1, 4), pixel[:, None]] == counts[1:4]).all(axis=1)
            [place] = [(p, f + WINDOW_FRAMES - 1) for f, p in zip(first[same], pixel[same], strict=True) if (flat[f:f + WINDOW_FRAMES, p] == counts).all()]
            places.append(place)
        self.pixel, self.last = np.array(places).T
        self._level = self.scene.background(0, len(self.sums)).reshape(-1, FOCAL_PIXELS)

        lights = self.scene.lights
        self._kind = np.array([light.kind for light in lights])
        self._which = np.repeat(np.arange(len(lights)), [light.frame.size for light in lights])
        self._light = [np.concatenate([getattr(light, name) for light in lights]) for name in ("frame", "pixel", "level")]

    def snr(self, kind, pixel, first=0, last=1 << 30):
        """Matched-filter SNR that each source of a kind leaves in one pixel from frame `first` to `last`."""
        frame, at, level = self._light
        here = (at == pixel) & (frame >= first) & (frame <= last)
        squares = level[here].astype(float)**2 / self._level[frame[here], pixel] * self.scene.gain.ravel()[pixel] * FRAME_GTU
        return np.sqrt(np.bincount(self._which[here], squares, len(self._kind))[self._kind == kind])


@pytest.fixture(scope="module")
def cut():
    return Cut(7, 4)


@pytest.fixture
def short(monkeypatch):
    """Files of a fifth of the frames: all that is wanted of them here is that there are several."""
    for module in (windows, truth):
        monkeypatch.setattr(module, "FILE_FRAMES", 640)
    monkeypatch.setattr(windows, "METEORS", 120)


def test_as_many_as_asked_for_meteors_first(cut):
    some = cut.windows
    assert some.codes.shape == some.counts.shape == (cut.lit + OTHERS, WINDOW_FRAMES) and some.codes.dtype == np.int8 and some.counts.dtype == np.uint32
    assert 30 < cut.lit <= WANTED and some.meteor.tolist() == [True] * cut.lit + [False] * OTHERS and (some.session == 7).all()
    assert ((some.kind == KINDS.index("meteor")) == some.meteor).all()
    assert (some.snr[:cut.lit] >= SIGNAL_SNR).all() and not some.snr[cut.lit:].any()


def test_codes_are_those_that_a_board_has_when_the_windows_last_frame_has_come(cut):
    board, masker, window = PixelWindows(PixelCodes()), Masker(), np.empty((FOCAL_PIXELS, WINDOW_FRAMES), np.int8)
    seen = 0
    for frame, sums in enumerate(cut.sums):
        board.push(sums, masker.frame(sums, cut.scene.dead))
        now = np.flatnonzero(cut.last == frame)
        if now.size:
            board.gather(window)
            assert np.array_equal(window[cut.pixel[now]], cut.windows.codes[now])
            assert (board.age[cut.pixel[now]] >= WINDOW_FRAMES).all()
            seen += len(now)
    assert seen == cut.lit + OTHERS and len(np.unique(cut.windows.codes)) > 50


def test_a_meteors_brightest_frame_lies_in_the_middle(cut):
    meteors = [light for light in cut.scene.lights if light.kind == "meteor"]
    off = []
    for pixel, last, told in zip(cut.pixel[:cut.lit], cut.last[:cut.lit], cut.windows.snr[:cut.lit], strict=True):
        own = [light for light, snr in zip(meteors, cut.snr("meteor", pixel), strict=True) if snr == pytest.approx(told, rel=1e-3)]
        assert len(own) == 1
        here = own[0].pixel == pixel
        off.append(int(own[0].frame[here][own[0].level[here].argmax()] - (last - WINDOW_FRAMES + 1 + MIDDLE)))
    assert max(map(abs, off)) <= JITTER and len(set(off)) > JITTER  # and not always at the same place


def test_no_window_without_a_meteor_holds_its_light(cut):
    for pixel, last in zip(cut.pixel[cut.lit:], cut.last[cut.lit:], strict=True):
        assert cut.snr("meteor", pixel, last - WINDOW_FRAMES + 1, last).max() <= LIGHT_SNR
    assert all(cut.snr("meteor", pixel, last - WINDOW_FRAMES + 1, last).max() > 0.9 * SIGNAL_SNR
               for pixel, last, snr in zip(cut.pixel, cut.last, cut.windows.snr, strict=True) if snr)


def test_the_others_are_ground_transients_and_quiet_by_thirds(cut):
    number = dict(zip(KINDS, np.bincount(cut.windows.kind, minlength=len(KINDS)).tolist(), strict=True))
    assert number["ground"] == OTHERS // 3 and all(number[kind] >= OTHERS // 3 // len(TRANSIENTS) for kind in TRANSIENTS)
    assert OTHERS // 6 < number["quiet"] <= OTHERS // 3 + 2


def test_a_transients_kind_is_whose_light_is_strongest(cut):
    checked = set()
    for kind, pixel, last in zip(cut.windows.kind[cut.lit:], cut.pixel[cut.lit:], cut.last[cut.lit:], strict=True):
        strength = {name: np.linalg.norm(cut.snr(name, pixel, last + 1 - LONGEST, last)) for name in TRANSIENTS}
        if KINDS[kind] in TRANSIENTS:
            assert strength[KINDS[kind]] == max(strength.values()) >= 0.99 * SIGNAL_SNR
        elif KINDS[kind] == "quiet":
            assert max(strength.values()) <= 1.01 * SIGNAL_SNR
        checked.add(KINDS[kind])
    assert checked == set(KINDS) - {"meteor"}


def test_same_arguments_give_the_same_bytes_and_another_seed_others(short):
    first, again, other = pixel_windows(5, 12, 40, 3), pixel_windows(5, 12, 40, 3), pixel_windows(5, 12, 40, 4)
    assert all(np.array_equal(getattr(first, name), getattr(again, name)) and getattr(first, name).dtype == getattr(again, name).dtype for name in vars(first))
    assert not np.array_equal(first.counts, other.counts)


def test_what_one_file_does_not_give_comes_from_the_next(short, monkeypatch):
    made = []
    monkeypatch.setattr(windows, "_from_file", lambda *arguments, kept=windows._from_file: made.append((arguments, kept(*arguments))) or made[-1][1])
    some = pixel_windows(5, 400, 20, 3)
    assert len(made) > 1 and [arguments[-1] for arguments, _ in made] == list(range(len(made)))
    assert len(some.meteor) == 420 and some.meteor.sum() == 400 == some.meteor[:400].sum()
    assert made[-1][0][1] == 400 - sum(int(part.meteor.sum()) for _, part in made[:-1])  # no more than is lacking


def test_joined_sets_keep_what_belongs_together():
    def numbered(numbers, meteor):
        k = np.array(numbers)
        return PixelWindowSet(np.repeat(k, 48).reshape(-1, 48).astype(np.int8), np.repeat(k, 48).reshape(-1, 48).astype(np.uint32), np.array(meteor),
                              k.astype(np.int8), k.astype(np.float32), k.astype(np.int8))

    whole = joined([numbered([1, 2, 3], [True, False, False]), numbered([4, 5], [True, False]), numbered([6], [True])])
    assert whole.kind.tolist() == [1, 4, 6, 2, 3, 5] and whole.meteor.tolist() == [True] * 3 + [False] * 3
    for name in ("codes", "counts"):
        assert np.array_equal(getattr(whole, name), np.repeat(whole.kind, 48).reshape(-1, 48))
    assert whole.snr.tolist() == whole.session.tolist() == whole.kind.tolist()


def test_places_of_meteors_are_no_more_than_wanted_and_clear_of_both_ends(cut):
    noise = Noise(cut.scene)
    lit, pixel, peak, snr, meteor = meteor_places(cut.scene, noise, np.random.default_rng(1), 50)
    assert len(pixel) == 50 and lit[peak, pixel].all() and peak.min() >= LONGEST and peak.max() <= len(cut.sums) - LONGEST
    assert (snr >= SIGNAL_SNR).all() and len(set(zip(meteor.tolist(), pixel.tolist(), strict=True))) == 50
    assert [len(one) for one in meteor_places(cut.scene, noise, np.random.default_rng(1), 0)[1:]] == [0] * 4
