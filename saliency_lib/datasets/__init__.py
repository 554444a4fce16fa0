"""Data that draw themselves, with exact masks.

creature_shapes    ten things, each a list of polygons
creatures          drawings of them
"""
