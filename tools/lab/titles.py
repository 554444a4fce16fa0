"""What each lab is called, and what its prepared picture shows."""

TITLES = {
    "photo": "the ImageNet network on photos",
    "price": "what a pixel is worth",
    "cover": "cover a part of a drawing",
    "rules": "three rules, two classes, shuffled weights",
    "draw": "draw while the network looks on",
    "ascent": "the image a class asks for, live",
    "box": "from a map to a box",
    "rulepad": "a square of rules between gradient, DeconvNet and guided backpropagation",
    "race": "the deletion race of two maps and an empty one",
    "suspect": "twelve cards, guilty or innocent",
    "diffusion": "watch it draw, and exchange the word on the way",
}

ALTS = {
    "photo": "A cup of espresso, and over it two class activation maps: espresso, bright in the coffee, and missile.",
    "price": "The drawing of an owl beside the saliency map of owl, which is bright along its outline and at its eyes.",
    "cover": "The drawing of a cat with a gray disk on it, beside the saliency map of cat before it was covered.",
    "rules": "The drawing of a butterfly and three maps: by the gradient, the DeconvNet, and guided backpropagation.",
    "draw": "The drawing of a ladybird beside the saliency map of ladybird.",
    "ascent": "The image that the class flower asks for after 100 steps of gradient ascent: petals around a disk.",
    "box": "The drawing of a fish with a box around it, beside the saliency map of fish that the box was made of.",
    "rulepad": "The drawing of a butterfly and its maps of butterfly and of owl by guided backpropagation, much alike.",
    "race": "The drawing of a cat three times, a third of its pixels gray: the brightest of its gradient, those of a "
    "guided map that was asked for fish, and those of an empty map.",
    "suspect": "The drawing of a small owl beside a large tree, and the map of owl by the network of the first card.",
    "diffusion": "Noise, and beside it the owl that was drawn from it in twenty steps with the guidance 2.",
}
