"""The lab: what its pages load, written from `lab/` and from the package's own weights.

`laid` writes it all into a site, as `lab/`. Only classic scripts are written: a page that is opened as a file may load
no others, and no data but what a script holds.
"""
