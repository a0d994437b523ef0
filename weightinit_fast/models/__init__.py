"""Models whose parameters are known by name and shape."""
