"""What the formats of weight files fix, for those who write them and those who read them."""

__all__ = ["INDEX_SUFFIX", "LARGEST_HEADER", "NPY_INDEX", "SAFETENSORS_DTYPES"]

#: The most bytes of a header. It is the limit of the safetensors library, and holds about a million
#: tensors. Parsed, a header of brackets alone takes about 20 times its size.
LARGEST_HEADER = 100_000_000

#: Name of a type in safetensors -> its name in NumPy or ml_dtypes.
SAFETENSORS_DTYPES = {
    "BOOL": "bool",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F6_E2M3": "float6_e2m3fn",
    "F6_E3M2": "float6_e3m2fn",
    "F4": "float4_e2m1fn",
    "C64": "complex64",
}

#: How the name of a Hugging Face index ends.
INDEX_SUFFIX = ".safetensors.index.json"
#: The file of a .npy folder that maps the names of tensors to their files and dtypes.
NPY_INDEX = "tensors.json"
