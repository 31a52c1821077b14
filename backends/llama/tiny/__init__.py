"""The small model that comes with the package, and all that made it: its generator, its trainer, its scores.

`generate` writes the texts, `train` fits a model to them, `export` writes the GGUF file and `evaluate` scores it
through the package's own engine. Nothing here is imported when the model is used; the card is README.md, beside it.
"""
