"""How well is it? Localization and maps measured, by one process or many, and networks audited for shortcuts.

records      results on disk
loop         resumes, shares the work, reports
team         the processes of one run

ilsvrc       the data set: images, classes, true boxes
metrics      from boxes to errors
runner       localization, image by image
misses       what the wrong boxes have in common

pictures     what maps are compared on
explainers   the methods that are compared, and controls
map_metrics  does a map lie on the object, and does it tell what moves the score?
compare      methods beside each other

removal      an image without a part of it
audit        whether answers rest on the object or on a suspected shortcut
audit_folder the same for a folder of photos, through any interruption
audit_report its report as one file
"""
