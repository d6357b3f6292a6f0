"""The reader of Level-1 ROOT files against files that uproot writes, good and bad."""

import struct

import awkward
import numpy as np
import pytest
import uproot

from edge_runtime.counts import read_counts
from edge_runtime.errors import InputError
from train.instruments.minieuso import read_root
from train.instruments.minieuso.root import CATHODE, COUNTS, SECONDS, TIME, TREE, write_root
from train.instruments.minieuso.scene import FILE_FRAMES, Scene

N = 6
TIMES = 1_577_763_286 + 0.04096 * np.arange(N)


def means(seed=0):
    return (np.random.default_rng(seed).poisson(10_650, (N, 1, 1, 48, 48)) / 16_384).astype(np.float32)


def written(path, tree=TREE, **changes):
    branches = {COUNTS: means(), TIME: TIMES} | changes
    with uproot.recreate(path) as file:
        made = file.mktree(tree, {name: np.dtype((array.dtype, array.shape[1:])) for name, array in branches.items() if array is not None})
        made.extend({name: array for name, array in branches.items() if array is not None})
    return path


@pytest.mark.parametrize("shape", [(N, 1, 1, 48, 48), (N, 48, 48), (N, 2304)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_become_sums_in_every_shape_met(tmp_path, shape, dtype):
    [stretch] = read_root(written(tmp_path / "a.root", **{COUNTS: means().reshape(shape).astype(dtype)}))
    assert np.array_equal(stretch.sums, np.rint(means().astype(np.float64) * 16_384)[:, 0, 0]) and not stretch.masked.any()
    assert (stretch.utc_start_ns, stretch.frame) == (1_577_763_286_000_000_000, 0)


def test_a_session_comes_back_with_its_gap(tmp_path):
    scene = Scene(6, FILE_FRAMES + 30, 1)
    write_root(scene, tmp_path / "a.root")
    found = list(read_root(tmp_path / "a.root"))
    assert [len(one.sums) for one in found] == [FILE_FRAMES, 30] and found[1].frame == FILE_FRAMES
    assert np.array_equal(np.concatenate([one.sums for one in found]), scene.sums())
    assert found[1].utc_start_ns - found[0].utc_start_ns == pytest.approx((FILE_FRAMES + 49) * 40_960_000, abs=1000)


def test_a_changed_cathode_masks_its_unit_in_that_frame(tmp_path):
    status = np.full((N, 12), 3, np.int32)
    status[2:4, 5] = 0
    status[:, 11] = np.arange(N)  # no unit's
    [stretch] = read_root(written(tmp_path / "a.root", **{CATHODE: status}))
    assert stretch.masked.sum(axis=(1, 2)).tolist() == [0, 0, 256, 0, 256, 0] and stretch.masked[2, 16:32, 32:48].all()


def test_time_is_taken_from_where_it_has_fractions(tmp_path):
    whole = TIMES.astype(np.uint32)  # as Level 1 writes them
    for branches in ({SECONDS: whole}, {TIME: None, SECONDS: TIMES}):
        [stretch] = read_root(written(tmp_path / "a.root", **branches))
        assert stretch.utc_start_ns == 1_577_763_286_000_000_000 and len(stretch.sums) == N


def test_the_tubes_that_level_1_halves_are_counts_again(tmp_path):
    halved, tubes = means(), ((slice(40, 48), slice(32, 40)), (slice(8, 16), slice(8, 16)))
    for row, column in tubes:
        halved[..., row, column] /= 2
    [stretch] = read_root(written(tmp_path / "a.root", **{COUNTS: halved}))
    assert np.array_equal(stretch.sums, np.rint(means().astype(np.float64) * 16_384)[:, 0, 0])
    halved = means()
    halved[..., 0:8, 0:8] /= 2  # another tube: something else was divided out
    with pytest.raises(InputError, match="whole number"):
        read_root(written(tmp_path / "b.root", **{COUNTS: halved}))


def changed(value):
    found = means()
    found[4, 0, 0, 7, 9] = value
    return found


@pytest.mark.parametrize(("changes", "field", "reason"), [
    ({"tree": "tevent"}, TREE, "tevent"), ({COUNTS: None}, COUNTS, "missing"), ({TIME: None}, TIME, "missing"),
    ({COUNTS: None, "photon_count_dat": means()}, COUNTS, "nearest"), ({COUNTS: means()[..., :47]}, COUNTS, "[n, 1, 1, 48, 48]"),
    ({COUNTS: means().astype(np.int32)}, COUNTS, "float"), ({COUNTS: changed(np.nan)}, COUNTS, "frame 4, row 7, column 9"),
    ({COUNTS: changed(-1)}, COUNTS, "negative"), ({COUNTS: changed(np.inf)}, COUNTS, "finite"), ({COUNTS: changed(1000)}, COUNTS, "255"),
    ({COUNTS: changed(0.65002)}, COUNTS, "whole number"), ({TIME: TIMES[::-1].copy()}, TIME, "back"), ({TIME: TIMES[[0, 1, 2, 2, 3, 4]]}, TIME, "same"),
    ({TIME: TIMES.astype(np.float32)}, TIME, "float64"), ({TIME: np.arange(N)}, TIME, "float64"),
    ({TIME: None, SECONDS: TIMES.astype(np.uint32)}, SECONDS, "gtu_time is missing"), ({TIME: None, SECONDS: np.ones((N, 2))}, SECONDS, "one a frame"),
    ({TIME: TIMES * np.nan}, TIME, "1970"),
    ({TIME: TIMES - 1e10}, TIME, "1970"), ({CATHODE: np.zeros((N, 4), np.int32)}, CATHODE, "12"), ({CATHODE: np.zeros((N, 12))}, CATHODE, "integers"),
])  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, changes, field, reason):
    path = written(tmp_path / "a.root", **changes)
    with pytest.raises(InputError) as refusal:
        read_root(path)
    assert field in str(refusal.value) and reason in str(refusal.value) and "a.root" in str(refusal.value)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: b"ROOT" + data[4:], lambda data: data[:3000], lambda data: data[:100],
                                    lambda data: data[:200] + bytes(200) + data[400:]])
def test_damaged_files_are_refused(tmp_path, damage):
    path = written(tmp_path / "a.root")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"a\.root"):
        read_root(path)


def test_baskets_of_different_lengths_are_one_recording(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        made = file.mktree(TREE, {COUNTS: np.dtype((np.float32, (1, 1, 48, 48))), TIME: np.dtype(np.float64)})
        for first, last in ((0, 1), (1, N)):
            made.extend({COUNTS: means()[first:last], TIME: TIMES[first:last]})
    [stretch] = read_root(tmp_path / "a.root")
    assert np.array_equal(stretch.sums, np.rint(means().astype(np.float64) * 16_384)[:, 0, 0])


@pytest.mark.parametrize("name", [COUNTS, TIME, CATHODE])
def test_a_branch_of_which_entries_are_lost_is_refused(tmp_path, name):
    data = written(tmp_path / "a.root", **{CATHODE: np.full((N, 12), 3, np.int32)}).read_bytes()
    with uproot.open(tmp_path / "a.root") as file:
        begin = data.index(name.encode(), file.key(TREE).fSeekKey)
    said, says = struct.pack(">2q", 0, N), struct.pack(">2q", 2 * N, N)  # the first entries of its basket and of the one after
    (tmp_path / "a.root").write_bytes(data[:begin] + data[begin:].replace(said, says, 1))
    with pytest.raises(InputError, match=f"{name}: gives 0 entries, the tree has {N} frames"):
        read_root(tmp_path / "a.root")


def test_the_shape_is_looked_at_before_anything_is_unpacked(tmp_path, monkeypatch):
    path = written(tmp_path / "a.root", **{COUNTS: np.zeros((N, 500, 500), np.float32)})
    monkeypatch.setattr(uproot.TBranch, "array", lambda *arguments, **options: pytest.fail("unpacked"))
    with pytest.raises(InputError, match=r"float32 \[n, 500, 500\]"):
        read_root(path)


def test_what_is_no_tree_and_frames_of_varying_length_are_named(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        file[TREE] = np.histogram(np.zeros(3))
    with pytest.raises(InputError, match=f"{TREE}: is a TH1D"):
        read_root(tmp_path / "a.root")
    with uproot.recreate(tmp_path / "b.root") as file:
        file.mktree(TREE, {COUNTS: "var * float32", TIME: "float64"}).extend({COUNTS: awkward.Array([[1.0, 2.0], [3.0]]), TIME: TIMES[:2]})
    with pytest.raises(InputError, match=f"{COUNTS}: is of varying length"):
        read_root(tmp_path / "b.root")


def test_an_empty_tree_a_folder_and_no_file(tmp_path):
    with uproot.recreate(tmp_path / "empty.root") as file:
        file.mktree(TREE, {COUNTS: np.dtype((np.float32, (1, 1, 48, 48))), TIME: np.dtype(np.float64)})
    (tmp_path / "folder.root").mkdir()
    for name in ("empty", "folder", "none"):
        with pytest.raises(InputError, match=name):
            read_root(tmp_path / f"{name}.root")


def test_a_photometers_bundle_takes_no_frames(tmp_path):
    with pytest.raises(InputError, match="photometer"):
        list(read_counts(written(tmp_path / "a.root")))
