"""Data that draw themselves, with exact masks.

creature_shapes    ten things, each a list of polygons
creatures          drawings of them
companions         drawings of them beside a tree, or another thing: a shortcut, planted
road_geometry      where a lane lies before a car, what a camera sees of it, how the car has to steer
road_shapes        what stands beside a road
captioned          pictures of one thing or two, some with a word written on them, and a true sentence
sentences          what can be said of them
roads              views of roads, and the steering angle of each
watermark          a line of characters across an image
phantoms           radiographs of a chest, with a hospital's marker and a scanner's grain
scenes             up to four creatures in one image
"""
