"""Pictures: that what is drawn is what was handed over, measured in the pixels."""

import io

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import saliency_lib as sl
from saliency_lib import plots


def pixels(plot: plots.Plot) -> np.ndarray:
    return np.asarray(plot.to_image()).astype(int)


def share(array: np.ndarray, color: tuple[int, int, int], tolerance: int = 30) -> float:
    """Which part of the pixels has nearly this color."""
    return float((np.abs(array - color).max(-1) <= tolerance).mean())


def test_a_photo_is_drawn_as_it_is() -> None:
    red = torch.zeros(1, 3, 32, 32)
    red[:, 0] = 1
    drawn = pixels(plots.grid({"red": red}))
    assert share(drawn, (255, 0, 0)) > 0.6
    assert share(drawn, (0, 0, 255)) == 0


def test_a_map_is_black_at_zero_and_bright_at_the_top() -> None:
    saliency = torch.zeros(40, 40)
    saliency[:, 20:] = 3
    drawn = np.asarray(plots.colorize(saliency))
    assert drawn.shape == (40, 40, 3)
    assert drawn[:, :20].max() < 20
    assert drawn[:, 20:].mean() > 180
    assert np.asarray(plots.colorize(saliency, top=300)).max() < 40  # on a larger scale the same map is dark


def test_a_map_of_zeros_is_black_and_no_error() -> None:
    assert np.asarray(plots.colorize(torch.zeros(8, 8))).max() < 20


def test_a_few_extreme_pixels_do_not_darken_the_rest() -> None:
    saliency = torch.ones(100, 100)
    saliency[0, 0] = 1e6
    assert np.asarray(plots.colorize(saliency))[50, 50].sum() > 500


def test_the_overlay_keeps_the_photo_where_the_map_is_high_and_darkens_it_elsewhere() -> None:
    photo, saliency = torch.full((3, 20, 20), 0.8), torch.zeros(20, 20)
    saliency[:, :10] = 1
    light = np.asarray(plots.overlay(photo, saliency))
    assert np.abs(light[:, :10].astype(int) - 204).max() <= 1
    assert light[:, 10:].max() <= 204 * 0.16
    saliency[:, 10:] = 0.25
    between = np.asarray(plots.overlay(photo, saliency, top=1))[0, 15]
    assert np.abs(between.astype(float) - 204 * (0.15 + 0.85 * 0.5)).max() <= 1  # the square root of a quarter
    with pytest.raises(sl.SaliencyError, match="pixels and the map"):
        plots.overlay(photo, torch.zeros(5, 5))


def test_a_box_frames_the_pixels_that_it_names() -> None:
    figure = plots.grid({"photo": torch.zeros(3, 50, 50)}, boxes={"photo": (10, 20, 40, 45)})
    (line,) = figure.axes[0].lines
    x, y = line.get_data()
    assert (min(x), max(x), min(y), max(y)) == (9.5, 39.5, 19.5, 44.5)  # pixel centers are at whole numbers


def test_a_grid_of_pairs_may_repeat_a_title() -> None:
    pictures = [torch.rand(3, 8, 8) for _ in range(3)]
    pairs = plots.grid(list(zip(("a", "b", "c"), pictures, strict=True)))
    assert np.array_equal(pixels(pairs), pixels(plots.grid(dict(zip("abc", pictures, strict=True)))))
    twice = plots.grid([("a", pictures[0]), ("a", pictures[1])])
    assert [place.get_title() for place in twice.axes] == ["a", "a"]


def test_a_strip_does_not_make_a_giant_figure() -> None:
    figure = plots.grid({"strip": Image.new("RGB", (1, 1000)), "square": Image.new("RGB", (9, 9))}, size=2)
    assert figure.get_size_inches()[1] < 2 * plots.TALLEST + 1


def test_the_grid_has_a_title_for_each_picture_and_room_for_all() -> None:
    figure = plots.grid({f"map {i}": torch.rand(8, 8) for i in range(5)}, columns=2)
    assert [axes.get_title() for axes in figure.axes][:5] == [f"map {i}" for i in range(5)]
    assert len(figure.axes) == 6
    with pytest.raises(sl.SaliencyError, match="no picture"):
        plots.grid({})


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(sl.SaliencyError, match=r"\(4, 8, 8\)"):
        plots.grid({"four channels": torch.rand(4, 8, 8)})


def test_scores_show_each_number_and_name() -> None:
    best = [sl.Prediction(3, "cat", 9.04, 0.61), sl.Prediction(5, "dog", 7.96, 0.24)]
    left, right = plots.scores(best).axes
    assert [bar.get_width() for bar in left.patches] == [9.04, 7.96]
    assert [bar.get_width() for bar in right.patches] == [0.61, 0.24]
    assert {text.get_text() for text in left.texts + right.texts} == {"9.0", "8.0", "0.61", "0.24"}
    assert [label.get_text() for label in left.get_yticklabels()] == ["cat", "dog"]


def test_signed_is_symmetric_about_white() -> None:
    gradient = torch.zeros(3, 10, 10)
    gradient[0, :5], gradient[0, 5:] = 2, -2
    drawn = plots.signed(gradient).axes[0].images[0]
    assert drawn.get_clim() == (-2, 2)
    raises, lowers, nothing = (drawn.to_rgba(np.array([[value]]))[0, 0, :3] for value in (2.0, -2.0, 0.0))
    assert raises[0] > 0.3 > raises[2]  # red raises the score
    assert lowers[2] > 0.3 > lowers[0]  # blue lowers it
    assert nothing.min() > 0.95


def test_curves_carry_the_numbers_and_the_scales() -> None:
    (axes,) = plots.curves([1, 10], {"a": [1, 2], "b": [3, 4]}, xlabel="r", ylabel="S", log="x").axes
    assert axes.get_xscale() == "log"
    assert axes.get_yscale() == "linear"
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2], [3, 4]]
    assert axes.get_xlabel() == "r"


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(matplotlib.rcParams)
    plots.curves([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y").encode("png")
    assert dict(matplotlib.rcParams) == before


def test_a_notebook_gets_one_picture_jpeg_for_photos_png_for_lines() -> None:
    import base64

    photo = plots.grid({"photo": torch.rand(3, 8, 8)})._repr_mimebundle_()
    line = plots.curves([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y")._repr_mimebundle_()
    assert list(photo) == ["image/jpeg"]
    assert list(line) == ["image/png"]
    for bundle, form in ((photo, "JPEG"), (line, "PNG")):
        (encoded,) = bundle.values()
        assert Image.open(io.BytesIO(base64.b64decode(encoded))).format == form


def test_signed_numbers_are_drawn_red_above_zero_and_blue_below() -> None:
    _, (place,) = plots.axes(1, 1, 2, 2)
    drawn = plots.draw_signed(place, torch.tensor([[-0.5, 0.5], [0.0, 0.0]]), "title", top=1)
    (blue, red), (white, _) = drawn.to_rgba(drawn.get_array())[..., :3]
    assert blue[2] > blue[0] + 0.2
    assert red[0] > red[2] + 0.2
    assert white.min() > 0.95
    assert place.get_title() == "title"
    assert not place.axison


def test_lines_go_into_the_axes_they_are_given() -> None:
    _, (left, right) = plots.axes(1, 2, 4, 2)
    plots.draw_lines(right, [1, 2], {"a": [3, 4], "b": [5, 6]}, xlabel="x", ylabel="y", log="xy", title="two")
    assert [list(line.get_ydata()) for line in right.lines] == [[3, 4], [5, 6]]
    assert (right.get_xscale(), right.get_yscale(), right.get_title()) == ("log", "log", "two")
    assert not left.lines
    assert {line.get_marker() for line in right.lines} == {"o"}
    plots.draw_lines(left, [1, 2], {"many": [3, 4]}, xlabel="x", ylabel="y", marker="")
    assert left.lines[0].get_marker() == ""


def test_dots_lie_on_the_pixels_that_they_name_one_color_a_set() -> None:
    first, second = torch.tensor([[5, 20], [7, 30]]), torch.tensor([[40, 1]])
    figure = plots.grid({"photo": torch.zeros(3, 50, 50)}, points={"photo": [first, second]})
    drawn = figure.axes[0].collections
    assert [dots.get_offsets().tolist() for dots in drawn] == [[[20, 5], [30, 7]], [[1, 40]]]
    assert not np.array_equal(drawn[0].get_facecolor(), drawn[1].get_facecolor())


def test_a_table_colors_what_is_not_blank_and_reads_from_above() -> None:
    figure = plots.tables({"t": [["0", "g"], ["h", "0"]]}, rows=["above", "below"], columns=["left", "right"])
    (place,) = figure.axes
    yellow = {
        patch.get_xy() for patch in place.patches if share(np.array(patch.get_facecolor())[:3] * 255, (242, 193, 78))
    }
    assert yellow == {(1, 0), (0, 1)}
    assert [text.get_text() for text in place.texts] == ["0", "g", "h", "0"]
    assert [label.get_text() for label in place.get_yticklabels()] == ["above", "below"]
    assert place.get_ylim() == (2, 0)  # the first row is drawn at the top


def test_boxes_are_drawn_where_they_are_and_the_photo_stays() -> None:
    photo = Image.new("RGB", (450, 300), "black")
    before = photo.tobytes()
    drawn = np.asarray(plots.boxed(photo, (90, 60, 200, 150), (210.4, 20, 440, 280)))
    assert photo.tobytes() == before
    for color, (x0, y0, x1, y1) in (("#00c8ff", (90, 60, 200, 150)), ("#ff7a00", (210, 20, 440, 280))):
        rgb = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
        rows, columns = np.nonzero((drawn == rgb).all(-1))
        assert (columns.min(), rows.min(), columns.max(), rows.max()) == (x0, y0, x1, y1)
    assert share(np.asarray(plots.boxed(photo)), (0, 0, 0), 0) == 1
    assert share(np.asarray(plots.boxed(photo, size=(600, 300))), (255, 255, 255), 0) == pytest.approx(1 / 4, abs=0.01)


def test_seeds_have_their_colors_and_places() -> None:
    photo = Image.new("RGB", (45, 30), (90, 90, 90))
    where = sl.localize(photo, torch.arange(45.0 * 30).view(30, 45), part="whole", size=45)
    drawn = np.asarray(plots.seeds(photo, where, (45, 30)))
    assert (drawn[where.foreground.numpy()] == (255, 122, 0)).all()
    assert (drawn[where.background.numpy()] == (0, 60, 140)).all()
    assert (drawn[~(where.foreground | where.background).numpy()] == 30).all()
    with pytest.raises(sl.SaliencyError, match="without seeds"):
        plots.seeds(photo, sl.threshold_box(photo, torch.rand(3, 3), part="whole"))


def test_the_four_steps_from_a_map_to_a_box() -> None:
    photo = sl.sample_photo("coffee")
    saliency = torch.zeros(20, 30)
    saliency[8:12, 12:17] = 1
    where = sl.localize(photo, saliency, part="whole")
    figure = plots.localization(photo, saliency, where, (174, 17, 405, 303))
    titles = [place.get_title() for place in figure.axes]
    assert titles[:3] == ["map", "seeds", "largest piece"]
    assert titles[3] == f"box, IoU {sl.box_iou(where.box, (174, 17, 405, 303)):.2f}"
    kept = np.asarray(figure.axes[2].images[0].get_array())
    assert where.mask.any()
    assert (kept.max(-1) > 10).mean() == pytest.approx(where.mask.float().mean().item(), abs=0.05)


def test_the_three_rules_have_one_color_each_and_no_line_beside_them_has_one() -> None:
    lines = {"another": [1, 2], "guided": [1, 2], "backprop": [1, 2], "one more": [1, 2]}
    (place,) = plots.curves([1, 2], lines, xlabel="x", ylabel="y").axes
    colors = {line.get_label(): line.get_color() for line in place.lines}
    assert [colors[rule] for rule in ("guided", "backprop")] == [
        plots.RULE_COLORS["guided"],
        plots.RULE_COLORS["gradient"],
    ]
    assert len(set(colors.values())) == 4
    assert not {colors["another"], colors["one more"]} & set(plots.RULE_COLORS.values())
    (alone,) = plots.curves([1, 2], {"gradient": [1, 2]}, xlabel="x", ylabel="y").axes
    assert alone.lines[0].get_color() == colors["backprop"]


def test_intervals_reach_from_low_to_high_and_nulls_are_hollow() -> None:
    rows = {"a": {"null": (0.2, 0.1, 0.3), "own": (0.5, 0.4, 0.9)}, "b": {"own": (0.1, 0.0, 0.2)}}
    (axes,) = plots.intervals(rows, xlabel="r", nulls=["null"], line=0.0).axes
    lines, dots = axes.collections[::2], axes.collections[1::2]
    assert [[segment[:, 0].tolist() for segment in line.get_segments()] for line in lines] == [
        [[0.1, 0.3]],
        [[0.4, 0.9], [0.0, 0.2]],
    ]
    assert dots[1].get_offsets()[:, 0].tolist() == [0.5, 0.1]
    assert tuple(dots[0].get_facecolor()[0]) == (1, 1, 1, 1) != tuple(dots[1].get_facecolor()[0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row stands on top
