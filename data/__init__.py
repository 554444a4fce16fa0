"""Class names, photos and small trained weights; installed as `saliency_lib.data`. README.md says what is what."""
