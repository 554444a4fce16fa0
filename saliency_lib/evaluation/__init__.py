"""How well is it? Localization measured on ILSVRC, by one process or many, and networks audited for shortcuts.

ilsvrc    the data set: images, classes, true boxes
metrics   from boxes to errors
misses    what the wrong boxes have in common
records   results on disk
runner    the loop: resumes, shares the work, reports
removal         an image without a part of it
audit           whether answers rest on the object or on a suspected shortcut
audit_folder    the same for a folder of photos, through any interruption
audit_report    its report as one file
"""
