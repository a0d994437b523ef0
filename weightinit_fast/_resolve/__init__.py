"""Read the arguments of a call, each of them once, into what the engine needs.

``target.resolve`` reads shape, dtype, out and index into one `Target`. ``fans`` reads layout,
groups, transposed and fans, ``keys`` reads rng and stream, ``threads`` reads threads, and
``numbers`` reads every argument that is one number. ``truncation`` computes the probabilities of a
truncated normal's bounds. ``messages`` shows refused values in few characters.
"""
