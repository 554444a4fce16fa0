"""Photos in, tensors out: every kind of file that Pillow opens, and every kind that it does not."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import raises_one_line, says
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps
from torch import Tensor

import saliency_lib as sl

ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}
"""What turns stored pixels upright, by the value of the EXIF tag 274 (EXIF 2.3, section 4.6.4)."""

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
PIXELS[0, 0, 3], PIXELS[0, 1, 3] = 0, 255


def encoded(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def opened(image: Image.Image, kind: str, **options: object) -> np.ndarray:
    """The pixels of a picture after it has been written to a file and opened with `load_image`."""
    found = sl.load_image(encoded(image, kind, **options))
    assert found.mode == "RGB"
    return np.asarray(found).astype(int)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """alpha * color + (1 - alpha) * white, in float64."""
    share = alpha[..., None] / 255
    return share * rgb + (1 - share) * 255


# --- modes ---------------------------------------------------------------------------------------------------------


def test_rgb_is_as_it_was() -> None:
    rgb = PIXELS[..., :3]
    assert np.array_equal(opened(Image.fromarray(rgb), "PNG"), rgb)


def test_transparency_is_laid_over_white() -> None:
    found = opened(Image.fromarray(PIXELS), "PNG")
    assert np.abs(found - over_white(PIXELS[..., :3], PIXELS[..., 3])).max() <= 1
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[0, 1].tolist() == PIXELS[0, 1, :3].tolist()


def test_gray_with_transparency() -> None:
    gray, alpha = PIXELS[..., 0], PIXELS[..., 3]
    image = Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)])
    expected = over_white(np.repeat(gray[..., None], 3, 2), alpha)
    assert np.abs(opened(image, "PNG") - expected).max() <= 1


def test_a_transparent_color_of_a_gray_or_rgb_file_is_white() -> None:
    gray = np.array([[0, 90, 200]], np.uint8)
    assert opened(Image.fromarray(gray), "PNG", transparency=90)[0, :, 0].tolist() == [0, 255, 200]
    rgb = np.stack([gray, gray, gray], 2)
    assert opened(Image.fromarray(rgb), "PNG", transparency=(90, 90, 90))[0, :, 0].tolist() == [0, 255, 200]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_with_and_without_transparency(kind: str) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    assert opened(image, kind)[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert opened(image, kind, transparency=1)[0].tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]


def test_a_palette_with_graded_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    assert np.abs(opened(image, "PNG", transparency=bytes([255, 51]))[0] - [[255, 0, 0], [204, 255, 204]]).max() <= 1


def test_black_and_white() -> None:
    bits = PIXELS[..., 0] > 127
    assert np.array_equal(opened(Image.fromarray(bits), "PNG")[..., 0], 255 * bits)


def test_cmyk() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert opened(image, "TIFF")[4, 4].tolist() == [255, 0, 0]
    assert np.abs(opened(image, "JPEG")[4, 4] - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "HSV"])
def test_other_color_spaces_come_back_as_rgb(mode: str) -> None:
    """By way of 8 bits a channel, whose rounding is worth a few steps of red, green or blue."""
    colors = [(200, 120, 60), (20, 130, 90), (240, 240, 10), (0, 0, 0), (255, 255, 255)]
    for color in colors:
        image = Image.new("RGB", (4, 4), color).convert(mode)
        assert image.mode == mode
        found = opened(image, "TIFF") if mode in ("YCbCr", "LAB") else np.asarray(sl.load_image(image)).astype(int)
        assert np.abs(found[0, 0] - color).max() <= 8


@given(hnp.arrays(np.uint16, (2, 3)))
def test_16_bit_gray_keeps_its_full_scale(values: np.ndarray) -> None:
    """White is 65535 whatever the brightest pixel: 8-bit value = v / 257, rounded."""
    for kind in ("PNG", "TIFF"):
        found = opened(Image.fromarray(values), kind)
        assert np.array_equal(found[..., 0], np.rint(values / 257).astype(int))
        assert np.ptp(found, axis=2).max() == 0
    big_endian = Image.frombytes("I;16B", (3, 2), values.astype(">u2").tobytes())
    assert np.array_equal(np.asarray(sl.load_image(big_endian))[..., 0], np.rint(values / 257).astype(int))


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (np.float32, [0.0, 0.5, 1.0], [0, 128, 255]),
        (np.float32, [0.0, 51.0, 102.0], [0, 51, 102]),
        (np.float32, [0.0, 257.0, 65535.0], [0, 1, 255]),
        (np.float32, [0.0, 5e5, 1e6], [0, 128, 255]),
        (np.int32, [0, 1, 255], [0, 1, 255]),
        (np.int32, [0, 257, 65535], [0, 1, 255]),
        (np.int32, [0, 0, 1], [0, 0, 1]),
        (np.int32, [0, 0, 2**31 - 1], [0, 0, 255]),
    ],
)
def test_gray_of_unknown_scale_takes_the_smallest_usual_one(dtype: type, values: list, expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], dtype))
    assert np.abs(opened(image, "TIFF")[0, :, 0] - expected).max() <= (dtype is np.float32)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_gray_without_a_scale_says_so(value: float) -> None:
    image = Image.fromarray(np.array([[0, value]], np.float32))
    with raises_one_line(sl.ImageError, "negative or not finite"):
        sl.load_image(encoded(image, "TIFF"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(Image.MODES),
    st.integers(1, 9),
    st.integers(1, 9),
    st.binary(min_size=1, max_size=40),
)
def test_a_picture_of_any_mode_becomes_rgb_of_the_same_size(mode: str, width: int, height: int, data: bytes) -> None:
    image = Image.new(mode, (width, height))
    wanted = len(image.tobytes())
    image.frombytes((data * wanted)[:wanted])
    before = image.tobytes()
    try:
        found = sl.load_image(image)
    except sl.ImageError as error:
        assert mode in ("I", "F")
        says(error)
    else:
        assert (found.mode, found.size) == ("RGB", (width, height))
        assert sl.to_tensor(image, 3).shape == (1, 3, 3, 3)
    assert (image.mode, image.tobytes()) == (mode, before)


# --- which way is up, which frame ----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_turns_the_photo_upright(orientation: int, kind: str) -> None:
    stored = PIXELS[..., :3]
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    expected = ORIENTATIONS[orientation](stored)
    assert np.array_equal(opened(Image.fromarray(stored), kind, exif=exif, **options), expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_picture_in_memory_is_turned_too(orientation: int) -> None:
    """Width and height swap for half of the orientations: the square has to be cut from the upright picture."""
    stored = np.zeros((4, 10, 3), np.uint8)
    stored[:, 5:] = 255
    stored[:2] //= 2
    exif = Image.Exif()
    exif[274] = orientation
    with Image.open(encoded(Image.fromarray(stored), "PNG", exif=exif)) as image:
        found = sl.to_tensor(image, 4)
    upright = Image.fromarray(np.ascontiguousarray(ORIENTATIONS[orientation](stored)))
    assert torch.equal(found, sl.to_tensor(upright, 4))


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_a_meaningless_orientation_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    assert np.array_equal(opened(Image.fromarray(PIXELS[..., :3]), "PNG", exif=exif), PIXELS[..., :3])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (6, 4), color) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    found = opened(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    assert np.abs(found - [255, 0, 0]).max() <= 3
    assert found.shape == (4, 6, 3)


# --- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_tiny_and_thin_photos(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 20, 30))
    assert sl.load_image(encoded(image, "PNG")).size == size
    tensor = sl.to_tensor(image, 16)
    expected = torch.tensor([10, 20, 30]).view(1, 3, 1, 1).expand(1, 3, 16, 16) / 255
    assert torch.equal(tensor, expected)


def png_bomb(width: int, height: int) -> io.BytesIO:
    """A file of a hundred bytes that says it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + data)


@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (12000, 12000), (65535, 65535), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(width: int, height: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(sl.ImageError, match=r"million") as caught:
            sl.load_image(png_bomb(width, height))
    says(caught.value)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_large_photo_below_the_limit_is_opened() -> None:
    """One that says so and has nothing in it, which is told when it is unpacked."""
    with pytest.raises(sl.ImageError, match="may be damaged or cut short"):
        sl.load_image(png_bomb(8000, 9000))


def test_a_picture_without_pixels_says_so() -> None:
    for mode in ("RGB", "I", "RGBA"):
        for size in ((0, 0), (0, 3), (3, 0)):
            for use in (sl.load_image, sl.to_tensor):
                with raises_one_line(sl.ImageError, "no pixels"):
                    use(Image.new(mode, size))


# --- files that are none -------------------------------------------------------------------------------------------


def test_missing_files_folders_and_other_things(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    empty = tmp_path / "empty.png"
    empty.touch()
    cases: list[tuple[object, str]] = [
        (tmp_path / "none.png", "there is no file .*none.png"),
        (str(tmp_path / "none.png"), "there is no file .*none.png"),
        (tmp_path, "is a folder"),
        (text, r"notes\.txt is not an image"),
        (empty, r"empty\.png is not an image"),
        (io.BytesIO(b""), "is not an image"),
        ("", "no file|folder|cannot be read"),
        ("a\0b.png", "cannot be read|no file"),
        ("a\nb.png", "there is no file a b.png"),
        ("x" * 5000, r"^x+ ... .*cannot be read"),
        (text / "below.png", "cannot be read|no file"),
        (None, "cannot be read"),
        (3.5, "cannot be read"),
        ([], "cannot be read"),
    ]
    for source, message in cases:
        with raises_one_line(sl.ImageError, message):
            sl.load_image(source)


@pytest.mark.parametrize("start", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.7\n", b"8BPS\0\1"])
def test_what_is_no_photo_is_refused_by_its_content(start: bytes, tmp_path: Path) -> None:
    """Pillow would hand the first to Ghostscript, which runs it as a program."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(start + bytes(1000))
    for source in (path, io.BytesIO(path.read_bytes())):
        with raises_one_line(sl.ImageError, "is not an image that can be opened here"):
            sl.load_image(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.jpg")
    (tmp_path / "link.jpg").symlink_to("photo.jpg")
    for path in (tmp_path / "photo.jpg", str(tmp_path / "link.jpg"), Path(os.devnull)):
        with raises_one_line(sl.ImageError, "is a pipe or a device, not a photo"):
            sl.load_image(path)


@pytest.mark.parametrize("size", [10**6, (10**9, 1), (9000, 9000)])
def test_a_size_that_no_memory_holds_is_refused_with_its_need(size: object) -> None:
    with raises_one_line(sl.ImageError, r"pixels take [\d,]+ GB: the limit is 80 million pixels"):
        sl.to_tensor(Image.new("RGB", (4, 4)), size)


def test_paths_texts_and_open_files_are_all_sources(tmp_path: Path) -> None:
    path = tmp_path / "photo with ünïcode.png"
    Image.fromarray(PIXELS[..., :3]).save(path)
    with path.open("rb") as file:
        sources = [path, str(path), file, io.BytesIO(path.read_bytes()), Image.open(path)]
        for source in sources:
            assert np.array_equal(np.asarray(sl.load_image(source)), PIXELS[..., :3])
        assert not file.closed  # who opens a file closes it
    path.unlink()  # nobody holds it open any more


def sample_files() -> dict[str, bytes]:
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[274] = 6
    files = {kind: encoded(photo, kind).getvalue() for kind in ("PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM")}
    files["JPEG"] = encoded(photo, "JPEG", exif=exif, progressive=True).getvalue()
    files["LZW"] = encoded(photo, "TIFF", compression="tiff_lzw").getvalue()
    files["APNG"] = encoded(photo, "PNG", save_all=True, append_images=[ImageOps.invert(photo)]).getvalue()
    return files


FILES = sample_files()


def opens_or_says_why(data: bytes) -> bool:
    """Whether the data is an image; if not, the error must be the right one, whatever the decoder stumbled over."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of corrupt metadata
            image = sl.load_image(io.BytesIO(data))
    except sl.ImageError as error:
        says(error)
        return False
    assert image.mode == "RGB"
    return True


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
def test_a_truncated_file_says_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "half.img"
    path.write_bytes(FILES[kind][: len(FILES[kind]) // 2])
    with raises_one_line(sl.ImageError, r"half\.img (cannot be read|is not an image)"):
        sl.load_image(path)


def test_a_picture_that_turns_out_truncated_when_used_says_so() -> None:
    with (
        Image.open(io.BytesIO(FILES["JPEG"][:600])) as image,
        raises_one_line(sl.ImageError, "cut short"),
    ):
        sl.to_tensor(image)


@settings(max_examples=150)
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1))
def test_a_file_cut_anywhere_opens_or_says_why(kind: str, share: float) -> None:
    opens_or_says_why(FILES[kind][: int(share * len(FILES[kind]))])


@settings(max_examples=250)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.floats(0, 0.999) | st.floats(0, 0.1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_file_with_wrong_bytes_opens_or_says_why(kind: str, changes: list[tuple[float, int]]) -> None:
    data = bytearray(FILES[kind])
    for share, value in changes:
        data[int(share * len(data))] = value
    opens_or_says_why(bytes(data))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"BM", b"II*\0"]),
)
def test_random_bytes_are_no_image(data: bytes, beginning: bytes) -> None:
    opens_or_says_why(beginning + data)


# --- tensors -------------------------------------------------------------------------------------------------------


def bicubic(distance: np.ndarray) -> np.ndarray:
    """Keys's cubic convolution kernel with a = -1/2 (Keys 1981, equation 15)."""
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def resized_slowly(line: np.ndarray, start: float, length: float, size: int) -> np.ndarray:
    """Along the first axis: `size` samples of [start, start + length), the kernel widened when shrinking."""
    step = length / size
    width = max(step, 1)
    samples = []
    for i in range(size):
        center = start + (i + 0.5) * step
        weights = bicubic((np.arange(len(line)) + 0.5 - center) / width)
        samples.append(np.tensordot(weights / weights.sum(), line, 1))
    return np.array(samples)


SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))


@settings(max_examples=40)
@given(hnp.arrays(np.uint8, SHAPES, elements=st.integers(64, 191)), st.integers(1, 24))
def test_the_tensor_is_the_centered_square_resized(pixels: np.ndarray, size: int) -> None:
    """Against float64 loops. Pillow rounds after each of its two passes: 1/2 + 1/2 sum |weights| < 1.2 steps.

    It also clips after each, and takes either first; so keep away from black and white, where overshoots would clip.
    """
    height, width, _ = pixels.shape
    side = min(height, width)
    columns = resized_slowly(pixels.astype(float).transpose(1, 0, 2), (width - side) / 2, side, size)
    expected = resized_slowly(columns.transpose(1, 0, 2), (height - side) / 2, side, size)
    found = sl.to_tensor(Image.fromarray(pixels), size)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - expected).max() < 1.2


@settings(max_examples=40)
@given(hnp.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 255])), st.integers(1, 24))
def test_overshoots_at_sharp_edges_stay_in_the_range(pixels: np.ndarray, size: int) -> None:
    tensor = sl.to_tensor(Image.fromarray(pixels), size)
    assert tensor.min() >= 0
    assert tensor.max() <= 1


def test_a_photo_of_the_right_size_is_exact() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    tensor = sl.to_tensor(Image.fromarray(pixels), 9)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1, 3, 9, 9)
    assert tensor.is_contiguous()
    assert np.array_equal(tensor[0].permute(1, 2, 0).numpy(), pixels.astype(np.float32) / 255)


@pytest.mark.parametrize("size", [0, -1, 1.5, "224", None, True, (224, 0), (224,), (4, 4, 4), [224, 224]])
def test_a_size_that_is_none_says_so(size: object) -> None:
    with raises_one_line(sl.ImageError, "the size must be"):
        sl.to_tensor(Image.new("RGB", (4, 4)), size)


@pytest.mark.parametrize("image", ["cat.jpg", None, np.zeros((4, 4, 3)), torch.zeros(3, 4, 4)])
def test_what_is_no_picture_says_so(image: object) -> None:
    with raises_one_line(sl.ImageError, "expected a PIL image"):
        sl.to_tensor(image)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(3))))
def test_to_image_is_the_way_back(pixels: np.ndarray) -> None:
    tensor = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)
    for images in (tensor, tensor[None], tensor.double(), tensor.clone().requires_grad_()):
        assert np.array_equal(np.asarray(sl.to_image(images)), pixels)


def test_to_image_clips_and_rounds() -> None:
    tensor = torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1)
    before = tensor.clone()
    assert sl.to_image(tensor).getpixel((0, 0)) == (0, 128, 255)
    assert torch.equal(tensor, before)
    assert sl.to_image(tensor.bfloat16()).getpixel((0, 0)) == (0, 128, 255)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 3, 4, 4), r"and got \(2, 3, 4, 4\)"),
        (torch.rand(4, 4, 3), r"and got \(4, 4, 3\)"),
        (torch.rand(4, 4), r"and got \(4, 4\)"),
        (torch.rand(3, 0, 4), r"and got \(3, 0, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "floating-point"),
        (np.zeros((3, 4, 4)), "a tensor, and got ndarray"),
        (None, "a tensor, and got NoneType"),
        (torch.rand(3, 4, 4).to_sparse(), "not supported"),
        (torch.rand(3, 4, 4, device="meta"), "not supported .meta"),
    ],
)
def test_to_image_takes_one_image(images: object, message: str) -> None:
    with raises_one_line(sl.ImageError, message):
        sl.to_image(images)


def test_images_on_every_device(device: torch.device) -> None:
    tensor: Tensor = sl.to_tensor(Image.fromarray(PIXELS), 5)
    assert sl.to_image(tensor.to(device)).tobytes() == sl.to_image(tensor).tobytes()


# --- the photos that come along ------------------------------------------------------------------------------------


def test_the_sample_photos_are_there() -> None:
    photos = sl.sample_photos()
    assert list(photos) == ["chelsea", "coffee", "rocket", "astronaut", "bee", "china", "flower"]
    for name, photo in photos.items():
        image = sl.sample_photo(name)
        assert image.mode == "RGB"
        assert image.tobytes() == photo.load().tobytes()
        x0, y0, x1, y1 = photo.box
        assert 0 <= x0 < x1 <= image.width
        assert 0 <= y0 < y1 <= image.height
        assert sl.imagenet_categories().name(sl.imagenet_categories().index(photo.label)) == photo.label
        assert all((photo.title, photo.author, photo.source))
        assert photo.license in {"CC0 1.0", "CC BY 2.0", "public domain"}


def test_the_sample_photos_are_small_and_every_one_is_listed() -> None:
    files = {photo.path for photo in sl.sample_photos().values()}
    assert files == set(next(iter(files)).parent.iterdir())
    assert all(file.stat().st_size <= 150 * 1024 for file in files)


def test_the_sample_photos_cannot_be_changed_by_accident() -> None:
    sl.sample_photos().clear()
    assert len(sl.sample_photos()) == 7
    sl.sample_photo("coffee").putpixel((0, 0), (1, 2, 3))
    assert sl.sample_photo("coffee").getpixel((0, 0)) != (1, 2, 3)


@pytest.mark.parametrize("name", ["dog", "", None, 3])
def test_an_unknown_sample_photo_lists_those_there_are(name: object) -> None:
    with raises_one_line(sl.ImageError, "use 'chelsea', 'coffee'"):
        sl.sample_photo(name)


def test_without_crop_the_whole_photo_is_squeezed_into_the_square() -> None:
    colors = np.zeros((20, 80, 3), np.uint8)
    colors[:, :20], colors[:, 60:] = (255, 0, 0), (0, 0, 255)  # both ends lie outside of the centered square
    photo = Image.fromarray(colors)
    whole = sl.to_tensor(photo, 40, crop=False)
    assert whole.shape == (1, 3, 40, 40)
    assert torch.allclose(whole[0, 0, :, :8], torch.tensor(1.0), atol=0.02)
    assert torch.allclose(whole[0, 2, :, 32:], torch.tensor(1.0), atol=0.02)
    assert sl.to_tensor(photo, 40).max() < 0.02
    square = sl.sample_photo("astronaut")
    assert torch.equal(sl.to_tensor(square, crop=False), sl.to_tensor(square))
