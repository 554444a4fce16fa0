"""A model that draws: noise, and the gradient that leads out of it.

schedule     how a picture drowns in noise
denoiser     the network, and how it looks at words
words        what can be said to it
training     how it was made
load         the trained model, and what it says of a noisy picture
sampler      from noise to a picture
word_maps    where does a word count?
likeness     how like are drawn pictures to real ones?
"""
