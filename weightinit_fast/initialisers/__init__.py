"""The initialisers: public functions, and objects that hold one with its own parameters bound.

``plain``, ``scaled``, ``named``, ``structured``, ``sparse`` and ``orthogonal`` hold the public
functions and their rules. ``gains`` holds the factors of the nonlinearities, ``rules`` the rules
that several functions share, ``law`` the distributions as numbers, ``public`` the list of all
initialisers, and ``initializer`` the objects.
"""
