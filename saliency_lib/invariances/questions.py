"""Which of four questions each method answers, and under which changes its answer is proved to stand."""

QUESTIONS = {
    "gradient": "change",
    "smoothgrad": "change",
    "smoothgrad-squared": "change",
    "layer-saliency": "change",
    "grad-cam": "share",
    "gradient-times-input": "share",
    "integrated-gradients": "share",
    "lrp": "share",
    "lrp-z-plus": "share",
    "shap": "share",
    "occlusion": "intervention",
    "occlusion-superpixels": "intervention",
    "lime": "intervention",
    "rise": "intervention",
    "guided": "none",
    "deconvnet": "none",
    "object-map": "none",
    "object-map-averaged": "none",
}
"""A *change*: what would move the score? A *share*: what made it up? An *intervention*: what happens without it? An
*optimum*, what it would like best, is asked by class images. The rules that are no derivative, and maps put together
to find objects, answer none of these: they are judged by what they find."""

_RULES = ("guided", "deconvnet")
_LAYERS = ("layer-saliency", "grad-cam", "object-map")
_ALL = tuple(QUESTIONS)
_ONE_SCORE = ("gradient", "gradient-times-input", "layer-saliency", "grad-cam", *_RULES)
_DIFFERENCES = ("integrated-gradients", "occlusion", "occlusion-superpixels", "lime", "rise", "shap")

PROOFS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pixel scale": (
        "chain rule: w becomes w / a, w I and w (I - black) stay; noise is a share of the range; layers see no change",
        (
            "gradient",
            *_RULES,
            "smoothgrad",
            "gradient-times-input",
            "integrated-gradients",
            "lrp",
            "lrp-z-plus",
            *_LAYERS,
        ),
    ),
    "pixel origin": (
        "chain rule: w becomes -w; relevance is measured from the mean color, which moves along; layers see the same",
        ("gradient", *_RULES, "lrp", "lrp-z-plus", *_LAYERS, "occlusion"),
    ),
    "probability": (
        "chain rule: dP = P d log P, one factor for the whole map",
        ("gradient", "gradient-times-input", *_RULES, "layer-saliency", "grad-cam", "lrp", "lrp-z-plus"),
    ),
    "log-odds": (
        "chain rule: the log-odds are log P - log(1 - P), so d = d log P / (1 - P), one factor for the whole map",
        ("gradient", "gradient-times-input", *_RULES, "layer-saliency", "grad-cam", "lrp", "lrp-z-plus"),
    ),
    "feature units": (
        "dS/dh_k becomes dS/dh_k / c_k: every sum over k of gradient times activation stays, and so do the pixels",
        ("gradient", "gradient-times-input", "smoothgrad", "grad-cam", *_RULES, "lrp", *_DIFFERENCES),
    ),
    "functions": ("the same numbers, called otherwise", tuple(name for name in _ALL)),
    "batch norm": (
        "the same function, and every ReLU sees the same numbers",
        (*_ONE_SCORE, "smoothgrad", *_DIFFERENCES),
    ),
    "two layers": (
        "the same function, and every ReLU sees the same numbers",
        (*_ONE_SCORE, "smoothgrad", *_DIFFERENCES),
    ),
    "constant": (
        "the same function, and every ReLU sees the same numbers",
        (*_ONE_SCORE, "smoothgrad", *_DIFFERENCES),
    ),
    "mirror": ("w moves with the pixels", ("gradient", "gradient-times-input", "integrated-gradients", *_RULES)),
    "move": ("w moves with the pixels", ("gradient", "gradient-times-input", "integrated-gradients", *_RULES)),
    "enlarge": (
        "chain rule: each of the four pixels has a quarter of w",
        ("gradient", "gradient-times-input", "integrated-gradients", *_RULES),
    ),
    "batch order": ("an image's score depends on that image alone", _ALL),
}
"""A change, why some methods stand under it (up to one factor for the whole map), and which. Tests measure them all."""
