"""saliency_lib: what a convolutional network sees, after Simonyan, Vedaldi and Zisserman (2013).

    import saliency_lib as sl
    model = sl.load_model()
    images = sl.to_tensor(sl.sample_photo("chelsea"))
    sl.saliency_map(model, images, "Egyptian cat")

Rooms, one for each question of the book, stand on four files and carry three faces. Nothing imports upward.

    cli, widgets, plots                      the faces
    auditing/   comparison/                  is it looking at the right thing?  which map?
    localization_benchmark/   sanity/        how often is it found?  which maps can be believed?
    exercises/                               was that right?
    class_images/   localization/            which image does it ask for?   where is it?
    diffusion/                               a model that draws: which way is likelier?
    methods/                                 where would a change matter?
    models/                                  a network, its normalization, size and head
    datasets/                                data that draw themselves, with exact masks
    runs/                                    anything long: resumable, distributed, nothing lost
    targets, categories, images, errors      what is asked, by which name, of which picture

The names are listed in `__init__.pyi`; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
