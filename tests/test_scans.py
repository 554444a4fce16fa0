"""Scans: files that pydicom carries, against what pydicom itself makes of them, and files written here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import raises_one_line
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

import saliency_lib as sl


def carried(name: str) -> str:
    """A test file of pydicom's."""
    return str(get_testdata_file(name, download=False))


def written(file: Path, stored: np.ndarray, **fields: Any) -> Path:
    """A file with 16 bits a pixel."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    found = Dataset()
    found.file_meta, found.SOPClassUID, found.SOPInstanceUID = meta, CTImageStorage, meta.MediaStorageSOPInstanceUID
    found.Rows, found.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        found.NumberOfFrames = len(stored)
    found.SamplesPerPixel, found.PixelRepresentation = 1, 1
    found.BitsAllocated, found.BitsStored, found.HighBit = 16, 16, 15
    found.PhotometricInterpretation, found.PixelData = "MONOCHROME2", stored.astype("<i2").tobytes()
    for name, value in fields.items():
        setattr(found, name, value)
    found.save_as(file, enforce_file_format=True)
    return file


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_RLE.dcm", "examples_overlay.dcm"])
def test_a_file_s_own_window_is_pydicom_s(name: str) -> None:
    found = dcmread(carried(name))
    shown = apply_windowing(apply_modality_lut(found.pixel_array, found), found).astype(float)
    bits = int(found.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if found.PixelRepresentation else (0, 2**bits - 1)
    scan = sl.load_scan(carried(name))
    assert scan.shape == (1, 1, *found.pixel_array.shape)
    assert torch.allclose(scan[0, 0].double(), torch.from_numpy((shown - low) / (high - low)), atol=1e-4)


def test_a_window_is_in_hounsfield_units() -> None:
    stored = dcmread(carried("CT_small.dcm")).pixel_array.astype(float)
    by_hand = np.clip(((stored - 1024) - (40 - 0.5)) / (400 - 1) + 0.5, 0, 1)
    scan = sl.load_scan(carried("CT_small.dcm"), window=(40, 400))
    assert torch.allclose(scan[0, 0].double(), torch.from_numpy(by_hand), atol=1e-6)
    assert (scan.min(), scan.max()) == (0, 1)
    every = sl.load_scan(carried("CT_small.dcm"))  # it says no window: from the lowest to the highest
    assert torch.allclose(every[0, 0].double(), torch.from_numpy((stored - stored.min()) / np.ptp(stored)), atol=1e-6)


def test_a_series_lies_in_the_order_of_its_places(tmp_path: Path) -> None:
    slices = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    place = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    files = [
        written(
            tmp_path / f"{name}.dcm", slices[k], **place, ImagePositionPatient=[0, 0, 2.5 * k], InstanceNumber=9 - k
        )
        for k, name in ((1, "a"), (2, "b"), (0, "c"))
    ]
    scan = sl.load_scan(files)
    assert scan.shape == (1, 1, 3, 4, 5)
    assert torch.allclose(scan.flatten() * 59, torch.arange(60.0), atol=1e-4)
    numbered = [written(tmp_path / f"n{k}.dcm", slices[k], InstanceNumber=k) for k in (2, 0, 1)]
    assert torch.equal(sl.load_scan(numbered), scan)
    assert torch.equal(sl.load_scan(written(tmp_path / "frames.dcm", slices)), scan)


def test_small_values_that_mean_bright_are_turned(tmp_path: Path) -> None:
    stored = np.array([[0, 1], [2, 4]])
    bright = sl.load_scan(written(tmp_path / "a.dcm", stored, PhotometricInterpretation="MONOCHROME1"))
    assert torch.equal(bright, torch.tensor([[[[1, 0.75], [0.5, 0]]]]))
    assert not sl.load_scan(written(tmp_path / "flat.dcm", 0 * stored)).any()


def test_a_network_reads_a_scan() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 5), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    scan = sl.load_scan(carried("CT_small.dcm"), window=(40, 400))
    model = sl.as_model(network, mean=[0.5], std=[0.25], size=tuple(scan.shape[2:]))
    assert sl.saliency_map(model, scan, 1).shape == (1, 128, 128)


def wrong(tmp_path: Path) -> dict[str, tuple[Any, Any]]:
    """Sources and windows that cannot be read."""
    stored = np.arange(6).reshape(2, 3)
    (tmp_path / "no.dcm").write_bytes(b"nothing of the kind")
    one, other = written(tmp_path / "1.dcm", stored), written(tmp_path / "2.dcm", stored.T, InstanceNumber=1)
    numbered = written(tmp_path / "3.dcm", stored, InstanceNumber=2)
    return {
        "missing": (tmp_path / "none.dcm", None),
        "no DICOM": (tmp_path / "no.dcm", None),
        "color": (carried("SC_rgb_small_odd.dcm"), None),
        "no picture": (carried("rtplan.dcm"), None),
        "cut short": (carried("MR_truncated.dcm"), None),
        "no order": ([one, one], None),
        "sizes": ([other, numbered], None),
        "no file": ([], None),
        "width": (one, (40, 0)),
        "window": (one, 40),
    }


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    for source, window in wrong(tmp_path).values():
        with raises_one_line(sl.SaliencyError):
            sl.load_scan(source, window)
