"""The stream contract in slow, readable Python, which shares no code with the package."""
