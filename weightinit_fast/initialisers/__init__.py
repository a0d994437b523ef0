"""Every initialiser, and the object that one becomes with its own parameters bound.

``plain``, ``scaled``, ``named``, ``structured``, ``sparse`` and ``orthogonal`` hold the public
functions, each with its rule; ``rules`` the kinds of rules that draw; ``law`` the distributions in
numbers; ``public`` the list of functions; ``initializer`` the object.
"""
