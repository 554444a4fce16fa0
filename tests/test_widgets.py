"""Controls: the two lives of a figure, and the weight and words of the static one."""

import base64
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


def test_a_player_carries_its_frames_labels_and_words() -> None:
    player = widgets.frame_player([shade(0), shade(200)], ["dark", "<light>"], name="shade", alt='a "gray" card')
    assert [round(np.asarray(frame).mean() / 10) for frame in frames(player)] == [0, 20]
    assert 'data-labels="dark|&lt;light&gt;"' in player.html
    assert 'alt="a &quot;gray&quot; card (shade: dark)"' in player.html
    assert player.html.count(" hidden>") == 1  # all frames but the first
    assert 'max="1"' in player.html


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
    assert np.asarray(Image.open(io.BytesIO(picture.value))).mean() == 0
    control.value = 200
    assert np.asarray(Image.open(io.BytesIO(picture.value))).mean() == 200


def test_a_live_control_only_draws_what_is_looked_at() -> None:
    drawn: list[int] = []

    def draw(value: int) -> Image.Image:
        drawn.append(value)
        return shade(value)

    widgets.slider(draw, range(100), name="shade", alt="a gray card")
    assert drawn == [0]


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
    model = sl.load_model()
    photos = {name: sl.sample_photo(name) for name in ("coffee", "chelsea")}
    best = {name: [p.name for p in model.top(sl.to_tensor(photo), 2)[0]] for name, photo in photos.items()}
    expected = [f"{name}: {label}" for name, labels in best.items() for label in labels]

    monkeypatch.setenv("SALIENCY_STATIC", "1")
    player = widgets.explore(model, photos, k=2)
    assert re.search(r'data-labels="([^"]+)"', player.html)[1].split("|") == expected
    assert frames(player)[0].size == (2 * 224 + 6, 224)

    monkeypatch.delenv("SALIENCY_STATIC")
    menu, picture = widgets.explore(model, photos, k=2).children
    assert list(menu.options) == expected
    before = picture.value
    menu.value = menu.options[3]
    assert picture.value != before


def test_explore_draws_each_rule_s_own_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    model, photo = sl.load_model(), sl.sample_photo("coffee")
    player = widgets.explore(model, {"cup": photo}, k=1, rules=("backprop", "guided"))
    assert 'data-labels="cup: espresso, backprop|cup: espresso, guided"' in player.html
    drawn = [np.asarray(frame)[:, 230:].ravel() for frame in frames(player)]
    maps = [sl.saliency_map(model, sl.to_tensor(photo), rule=rule)[0] for rule in ("backprop", "guided")]
    expected = [np.asarray(plots.colorize(saliency)).ravel() for saliency in maps]
    alike = np.corrcoef(drawn + expected)[:2, 2:]  # WebP loses a little
    assert alike.diagonal().min() > 0.8 > 0.5 > alike[0, 1]
