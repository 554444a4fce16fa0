"""Does this sentence hold? Every general sentence of the book is a study: a claim, its null, and photos to try it on.

study       what a study is, and all of them by name
run         a study on many pictures and several networks
results     what came of it: means, intervals, verdicts; and what is stored
others      a study a function, in a file for each subject:
place       where maps lie
classes     whether maps know what they are asked
scores      what is meant by "the score"
forecast    what the gradient foretells
smoothing   what noise does
removal     what happens without it
features    what a layer's map stands on
ascent      what a class asks for
drawings    what training and architecture do
"""
