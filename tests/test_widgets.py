"""Controls: the two lives of a figure, and the weight and words of the static one."""

import base64
import html
import io
import re

import numpy as np
import pytest
from PIL import Image

import saliency_lib as sl
from saliency_lib import plots, widgets


def shade(value: int) -> Image.Image:
    return Image.new("RGB", (24, 16), (value, value, value))


def frames(player: widgets.FramePlayer) -> list[Image.Image]:
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', player.html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def labels(player: widgets.FramePlayer) -> list[str]:
    return [html.unescape(label) for label in re.findall(r'data-label="([^"]*)"', player.html)]


def shown(player: widgets.FramePlayer) -> list[bool]:
    return ["hidden" not in attributes for attributes in re.findall(r'<span class="frame[^"]*"([^>]*)>', player.html)]


def test_a_player_carries_its_frames_labels_and_words() -> None:
    player = widgets.frame_player([shade(0), shade(200)], ["dark", "<light>"], name="shade", alt='a "gray" card')
    assert [round(np.asarray(frame).mean() / 10) for frame in frames(player)] == [0, 20]
    assert labels(player) == ["dark", "<light>"]
    assert 'data-label="&lt;light&gt;"' in player.html
    assert 'alt="a &quot;gray&quot; card (shade: dark)" width="24" height="16"' in player.html
    assert 'max="1"' in player.html


def test_a_player_opens_in_the_middle_or_where_it_is_told() -> None:
    pictures, names = [shade(value) for value in (0, 50, 100, 150)], ["a", "b", "c", "d"]
    for start, opening in ((None, 1), (0, 0), (3, 3)):
        player = widgets.frame_player(pictures, names, name="n", alt="a gray card", start=start)
        assert shown(player) == [i == opening for i in range(4)]
        assert f'value="{opening}" aria-valuetext="{names[opening]}"' in player.html
        assert f'<span class="label">{names[opening]}</span>' in player.html
    for start in (-1, 4, 1.5, "a"):
        with pytest.raises(sl.SaliencyError, match=r"opens at one of them|start should be a whole number"):
            widgets.frame_player(pictures, names, name="n", alt="a gray card", start=start)


def test_pictures_keep_their_size_and_plots_keep_to_their_width() -> None:
    def widest(frame: Image.Image | plots.Plot) -> int:
        player = widgets.frame_player([frame], ["one"], name="n", alt="a gray card", width=200)
        return int(re.search(r"max-width:max\((\d+)px", player.html)[1])

    assert widest(Image.new("RGB", (684, 224))) == 684
    assert widest(plots.curves([0, 1], {"line": [0, 1]}, xlabel="x", ylabel="y")) == 200


def test_players_are_the_same_each_time_and_differ_by_content() -> None:
    def make(value: int) -> str:
        return widgets.frame_player([shade(value)], ["one"], name="n", alt="a gray card")._repr_html_()

    assert make(10) == make(10)
    assert re.findall(r'id="([^"]+)"', make(10)) != re.findall(r'id="([^"]+)"', make(90))


def test_a_player_needs_frames_and_a_label_for_each() -> None:
    for pictures, labels in (([], []), ([shade(1)], []), ([shade(1)], ["a", "b"])):
        with pytest.raises(sl.SaliencyError, match="as many labels as frames"):
            widgets.frame_player(pictures, labels, name="n", alt="a gray card")


def test_twelve_frames_of_a_photo_weigh_less_than_300_kilobytes() -> None:
    photo = sl.sample_photo("coffee").resize((480, 320))
    player = widgets.frame_player(
        [photo.rotate(i) for i in range(12)], list("abcdefghijkl"), name="n", alt="a cup turning"
    )
    assert len(player.html) < 300_000


def test_static_is_a_player_and_live_is_a_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    player = widgets.slider(shade, [0, 100, 200], name="shade", alt="a gray card")
    assert isinstance(player, widgets.FramePlayer)
    assert len(frames(player)) == 3

    monkeypatch.delenv("SALIENCY_STATIC")
    live = widgets.slider(shade, {"dark": 0, "light": 200}, name="shade", alt="a gray card")
    control, picture = live.children
    assert np.asarray(Image.open(io.BytesIO(picture.value))).mean() == 0  # of two values the first is the middle
    control.value = 200
    assert np.asarray(Image.open(io.BytesIO(picture.value))).mean() == 200


def test_a_live_control_only_draws_what_is_looked_at() -> None:
    drawn: list[int] = []

    def draw(value: int) -> Image.Image:
        drawn.append(value)
        return shade(value)

    widgets.slider(draw, range(100), name="shade", alt="a gray card")
    assert drawn == [49]


def test_frames_may_be_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    player = widgets.slider(
        lambda n: plots.curves([0, 1], {"line": [0, n]}, xlabel="x", ylabel="y"),
        [1, 2],
        name="slope",
        alt="a rising line",
    )
    assert frames(player)[0].width > 300


def test_explore_offers_the_best_classes_of_every_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    model = sl.load_model("creature_convnet")
    photos = {name: sl.sample_photo(name) for name in ("coffee", "chelsea")}
    best = {name: [p.name for p in model.top(model.to_tensor(photo), 2)[0]] for name, photo in photos.items()}
    expected = [f"{name}: {label}" for name, labels in best.items() for label in labels]

    monkeypatch.setenv("SALIENCY_STATIC", "1")
    player = widgets.explore(model, photos, k=2)
    assert labels(player) == expected
    assert shown(player)[0]
    assert frames(player)[0].size == (2 * 64 + 6, 64)

    monkeypatch.delenv("SALIENCY_STATIC")
    menu, picture = widgets.explore(model, photos, k=2).children
    assert list(menu.options) == expected
    before = picture.value
    menu.value = menu.options[3]
    assert picture.value != before


def test_explore_draws_each_rule_s_own_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    model, photo = sl.load_model("creature_convnet"), sl.sample_photo("coffee")
    player = widgets.explore(model, {"cup": photo}, k=1, rules=("backprop", "guided"))
    assert labels(player) == ["cup: flower, backprop", "cup: flower, guided"]
    drawn = [np.asarray(frame)[:, 70:].ravel() for frame in frames(player)]
    maps = [sl.saliency_map(model, model.to_tensor(photo), rule=rule)[0] for rule in ("backprop", "guided")]
    expected = [np.asarray(plots.colorize(saliency)).ravel() for saliency in maps]
    alike = np.corrcoef(drawn + expected)[:2, 2:]  # WebP loses a little
    assert alike.diagonal().min() > 0.9 > 0.7 > alike[0, 1]


def test_explore_gives_each_network_images_of_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    model, owl = sl.load_model("creature_convnet"), sl.to_image(sl.creatures(1, kind="owl", size=200).images)
    player = widgets.explore(model, {"owl": owl}, k=1)
    assert frames(player)[0].size == (2 * 64 + 6, 64)
    assert labels(player) == [f"owl: {model.top(model.to_tensor(owl), 1)[0][0].name}"]
