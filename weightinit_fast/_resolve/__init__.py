"""From the arguments of a call to what the engine needs: each argument is read here, once.

``target.resolve`` reads shape, dtype, out and index into one `Target`.  ``fans`` reads what a
weight's axes are, ``keys`` reads rng, ``threads`` reads threads, and ``numbers`` reads every
argument that is one number.  ``messages`` words what is refused.
"""
