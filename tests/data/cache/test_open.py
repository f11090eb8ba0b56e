import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fuzz.fuzz_corpus import dicom_bytes, dicom_object
from medauc.data.cache import PreparedImages, list_cache, open_cache
from medauc.data.preparation import PreparationSpec, prepare_file
from medauc.errors import InputError
from medauc.files import DiskFull

Writer = Callable[[Path, int], Path]


def opened(
    paths: list[Path], tmp_path: Path, spec: PreparationSpec | None = None, **more: object
) -> PreparedImages:
    return open_cache(
        paths, spec or PreparationSpec(), 6, 2, folder=tmp_path / "cache", **({"jobs": 0} | more)
    )


def test_rows_are_the_prepared_files_and_stay_on_disk(images: list[Path], tmp_path: Path) -> None:
    spec = PreparationSpec(shape=(3, 5), intensity=(20, 200))
    found = opened(images, tmp_path, spec)
    assert isinstance(found.images, np.memmap)
    assert found.images.shape == (12, 3, 5)
    assert not found.images.flags.writeable
    assert found.failures == ()
    assert found.readable.all()
    for row, path in zip(found.images, images, strict=True):
        np.testing.assert_array_equal(row, prepare_file(path, spec, 6, 2))


def test_a_second_opening_prepares_nothing(images: list[Path], tmp_path: Path, prepared: list[str]) -> None:
    first = opened(images, tmp_path)
    assert len(prepared) == 12
    second = opened([Path(str(path)) for path in images], tmp_path)
    assert len(prepared) == 12
    assert second.digest == first.digest
    np.testing.assert_array_equal(first.images, second.images)


def test_only_what_is_new_or_changed_is_prepared(
    images: list[Path], tmp_path: Path, prepared: list[str], write: Writer
) -> None:
    first = opened(images[:8], tmp_path)
    write(images[3], 99)
    prepared.clear()
    second = opened(images[::-1], tmp_path)
    assert sorted(prepared) == ["03.npy", "08.npy", "09.npy", "10.npy", "11.npy"]
    np.testing.assert_array_equal(second.images[::-1][:3], first.images[:3])
    np.testing.assert_array_equal(second.images[-4], np.load(images[3]))


def test_another_preparation_is_another_entry(
    images: list[Path], tmp_path: Path, prepared: list[str]
) -> None:
    opened(images, tmp_path, PreparationSpec(intensity=(0, 100)))
    opened(images, tmp_path, PreparationSpec(intensity=(0.0, 100.0), shape=(6, 6)))  # the same in other words
    assert len(prepared) == 12
    opened(images, tmp_path, PreparationSpec(intensity=(0, 101)))
    assert len(prepared) == 24
    assert len(list_cache(tmp_path / "cache")) == 2


def test_files_that_fail_are_told_and_tried_again_when_they_change(
    images: list[Path], tmp_path: Path, prepared: list[str], write: Writer
) -> None:
    images[4].write_bytes(b"not an image")
    missing = tmp_path / "missing.png"
    found = opened([*images, missing], tmp_path)
    assert [(failure.row, failure.path) for failure in found.failures] == [
        (4, str(images[4])),
        (12, str(missing)),
    ]
    assert all(str(tmp_path) not in failure.reason for failure in found.failures)
    assert "No such file" in found.failures[1].reason
    assert np.flatnonzero(~found.readable).tolist() == [4, 12]
    assert not found.images[[4, 12]].any()
    prepared.clear()
    assert opened([*images, missing], tmp_path).failures == found.failures
    assert prepared == []
    write(images[4], 50)
    write(missing.with_suffix(".npy"), 51).rename(missing)
    assert opened([*images, missing], tmp_path).failures == ()
    assert sorted(prepared) == ["04.npy", "missing.png"]


def test_files_that_fail_are_tried_again_with_other_decoders(
    images: list[Path], tmp_path: Path, prepared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images[0].write_bytes(b"not an image")
    opened(images, tmp_path)
    monkeypatch.setattr("medauc.data.cache.open._decoders", lambda: "a codec more")
    prepared.clear()
    assert len(opened(images, tmp_path).failures) == 1
    assert prepared == ["00.npy"]
    opened(images, tmp_path)
    assert prepared == ["00.npy"]


def test_a_stopped_building_goes_on_where_it_was(
    images: list[Path], tmp_path: Path, prepared: list[str], one_by_one: None
) -> None:
    def stop_after_five(stage: str, done: int, total: int) -> None:
        if stage == "preparing images" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(images, tmp_path, progress=stop_after_five)
    (left,) = list_cache(tmp_path / "cache")
    assert not left.finished
    assert len(prepared) == 5
    found = opened(images, tmp_path)
    assert len(prepared) == 13  # the fifth was not written down yet
    np.testing.assert_array_equal(found.images, [np.load(path) for path in images])
    assert [entry.finished for entry in list_cache(tmp_path / "cache")] == [True]


_BUILD = """
import sys, time
from pathlib import Path
import medauc.data.cache.build as build
import medauc.data.cache.rows as rows
from medauc.data.cache import open_cache
from medauc.data.preparation import PreparationSpec
build._CHUNK_ROWS, build._SAVE_EVERY = 1, 0.0
prepare_file = rows.prepare_file
def slow(path, *more):
    print(path, flush=True)
    time.sleep(float(sys.argv[2]))
    return prepare_file(path, *more)
rows.prepare_file = slow
found = open_cache(sorted(Path("images").iterdir()), PreparationSpec(), 6, 2, folder="cache", jobs=0)
assert not found.failures, found.failures
print("sum", int(found.images.astype(int).sum()))
"""


def start_building(tmp_path: Path, seconds: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD, "", str(seconds)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_building_is_continued(images: list[Path], tmp_path: Path) -> None:
    process = start_building(tmp_path, 0.05)
    assert process.stdout is not None
    for _ in range(6):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = start_building(tmp_path, 0)
    output, _ = found.communicate(timeout=60)
    *again, total = output.splitlines()
    assert 6 <= len(again) <= 8
    assert total == f"sum {sum(int(np.load(path).sum(dtype=int)) for path in images)}"


def test_of_two_processes_one_builds_and_the_other_waits(images: list[Path], tmp_path: Path) -> None:
    both = [start_building(tmp_path, 0.1) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    lines = [output.splitlines() for output, _ in outputs]
    assert sorted(len(line) for line in lines) == [1, 13]
    assert lines[0][-1] == lines[1][-1]
    waited = [errors for output, errors in outputs if len(output.splitlines()) == 1]
    assert "another process is preparing these images" in waited[0]


_SCRIPT_WITHOUT_GUARD = """
from pathlib import Path
from medauc.data.cache import open_cache
from medauc.data.preparation import PreparationSpec
import medauc.data.cache.build as build
build._CHUNK_ROWS = 3
found = open_cache(sorted(Path("images").iterdir()), PreparationSpec(colour="grey"), 6, 2, folder="cache", jobs=JOBS)
print([(failure.row, failure.reason) for failure in found.failures])
print(int(found.images.astype(int).sum()))
"""

_DEADLY_READER = """
import os, signal
import medauc.data.readers as readers
read_image = readers.read_image
def deadly(path, *more):
    if path.name == os.environ.get("DEADLY"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_image(path, *more)
readers.read_image = deadly
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_kills_its_process_is_a_failure_and_the_rest_goes_on(
    jobs: int, images: list[Path], tmp_path: Path
) -> None:
    """In a script without a main guard, which processes started by multiprocessing would run again."""
    (tmp_path / "sitecustomize.py").write_text(_DEADLY_READER)
    (tmp_path / "script.py").write_text(_SCRIPT_WITHOUT_GUARD.replace("JOBS", str(jobs)))
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "DEADLY": "07.npy"}
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    failures, total = done.stdout.splitlines()
    assert failures == "[(7, 'reading it ended the process (signal 11)')]"
    assert int(total) == sum(int(np.load(path).sum(dtype=int)) for path in images if path.name != "07.npy")


def start_slow_workers(tmp_path: Path) -> "subprocess.Popen[str]":
    """Build with two workers that name each file on standard error and take their time; wait for eight of them."""
    (tmp_path / "sitecustomize.py").write_text(
        _DEADLY_READER.replace('if path.name == os.environ.get("DEADLY"):', "print(path.name, flush=True)")
        .replace("        os.kill(os.getpid(), signal.SIGSEGV)", "    time.sleep(0.3)")
        .replace("import os", "import time, os")
    )
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT_WITHOUT_GUARD.replace("JOBS", "2")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for _ in range(8):  # two chunks of three are done, or one and parts of two
        process.stderr.readline()
    return process


def test_an_interrupt_ends_the_workers_and_keeps_what_is_done(images: list[Path], tmp_path: Path) -> None:
    process = start_slow_workers(tmp_path)
    assert process.stderr is not None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    rest, _ = process.stderr.read(), process.wait(timeout=60)
    assert "KeyboardInterrupt" in rest
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    found = opened(images, tmp_path, PreparationSpec(colour="grey"))
    np.testing.assert_array_equal(found.images, [np.load(path) for path in images])


def test_workers_end_with_a_parent_that_is_killed(images: list[Path], tmp_path: Path) -> None:
    process = start_slow_workers(tmp_path)
    process.kill()
    process.communicate(timeout=60)  # comes back when the last worker has closed standard error, its end
    found = opened(images, tmp_path, PreparationSpec(colour="grey"))
    np.testing.assert_array_equal(found.images, [np.load(path) for path in images])


def test_workers_that_do_not_start_are_not_blamed_on_the_files(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medauc.data.cache.build._CHUNK_ROWS", 2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="does not start"):
        opened(images, tmp_path, jobs=2)


def test_several_processes_give_the_same_rows(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medauc.data.cache.build._CHUNK_ROWS", 2)
    images[2].write_bytes(b"broken")
    one, several = opened(images, tmp_path / "a"), opened(images, tmp_path / "b", jobs=3)
    np.testing.assert_array_equal(one.images, several.images)
    assert one.failures == several.failures


@pytest.mark.usefixtures("one_by_one")
def test_a_worker_of_volumes_reads_nifti_and_dicom(tmp_path: Path) -> None:
    import nibabel
    from pydicom.data import get_testdata_file

    values = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii.gz")
    files = [tmp_path / "a.nii.gz", Path(str(get_testdata_file("CT_small.dcm")))]
    found = open_cache(files, PreparationSpec(), 3, 3, folder=tmp_path / "cache", jobs=1)
    np.testing.assert_array_equal(found.images[0], values.T)
    assert [(failure.row, "flat image" in failure.reason) for failure in found.failures] == [(1, True)]


def test_a_full_disk_is_told_and_what_is_done_is_kept(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import medauc.data.cache.build as build_module

    begin = build_module._begin
    monkeypatch.setattr(
        build_module, "_begin", lambda *given: (_full(begin(*given)[0]), np.zeros(12, dtype=np.uint8))
    )
    for jobs in (0, 1, 2):
        monkeypatch.setattr(build_module, "_CHUNK_ROWS", 4)
        with pytest.raises(DiskFull, match="No space left"):
            opened(images, tmp_path, jobs=jobs)


def _full(job):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(job, file="/dev/full")


def test_progress_counts_up_to_all(images: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    opened(images, tmp_path, progress=lambda *state: seen.append(state))
    assert seen[-1] == ("preparing images", 12, 12)
    assert ("checking files", 12, 12) in seen
    assert next(done for stage, done, _ in seen if stage == "preparing images") == 0


@pytest.mark.parametrize(("coloured", "channels"), [(7, True), (5, False)])
def test_a_set_is_in_colour_when_most_of_its_images_are(
    coloured: int, channels: bool, tmp_path: Path
) -> None:
    from PIL import Image

    paths = []
    for number in range(12):
        grey = np.random.default_rng(number).integers(0, 255, (6, 6, 1)).astype(np.uint8)
        pixels = np.repeat(grey, 3, axis=2)
        pixels[0, 0, 0] += number < coloured
        paths.append(tmp_path / f"{number:02}.png")
        Image.fromarray(pixels).save(paths[-1])
    found = opened(paths, tmp_path)
    assert found.images.shape == ((12, 6, 6, 3) if channels else (12, 6, 6))
    assert found.spec.colour == ("rgb" if channels else "grey")
    assert found.spec.shape == (6, 6)


def test_an_entry_that_is_damaged_is_built_again(images: list[Path], tmp_path: Path) -> None:
    opened(images, tmp_path)
    (entry,) = list_cache(tmp_path / "cache")
    (entry.path / "images.npy").write_bytes(b"")
    np.testing.assert_array_equal(opened(images, tmp_path).images[0], np.load(images[0]))


def test_threads_may_open_the_same_images(images: list[Path], tmp_path: Path, prepared: list[str]) -> None:
    found: list[PreparedImages] = []
    threads = [threading.Thread(target=lambda: found.append(opened(images, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == 3
    assert len(prepared) == 12


def test_nothing_to_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        opened([], tmp_path)
    with pytest.raises(InputError, match="has 3 axes"):
        open_cache([tmp_path], PreparationSpec(shape=(1, 2, 3)), 6, 2, folder=tmp_path / "cache")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="MEDAUC_CACHE"):
        open_cache([tmp_path], PreparationSpec(), 6, 2, folder=tmp_path / "file" / "cache")


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    began = time.monotonic()
    (failure,) = opened([tmp_path / "pipe.png"], tmp_path).failures
    assert "pipe" in failure.reason
    assert time.monotonic() - began < 30


def test_a_reason_that_is_kept_names_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    for place in range(2):
        told = {"ImagePositionPatient": [0, 0, place], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        whole = dicom_bytes(dicom_object(np.zeros((4, 4), np.uint16), SOPInstanceUID=f"1.{place}", **told))
        (folder / f"{place}").write_bytes(whole)
    (folder / "DOE_JANE").write_bytes(whole[:300])
    reason = "1 of the DICOM files beside it is damaged and may be a slice of it; copy again or take out of the folder"
    for number, path in enumerate([str(folder), f"{tmp_path}//./case"]):  # however it is spelled
        place = tmp_path / f"cache{number}"
        (failure,) = open_cache([path], PreparationSpec(), 6, 2, folder=place, jobs=0).failures
        assert failure.reason == reason
        (about,) = place.rglob("about.json")
        assert "DOE" not in about.read_text()
