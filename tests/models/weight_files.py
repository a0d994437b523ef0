"""Weight files that the tests write byte by byte, so that each byte can be made wrong."""

import io
import json
import zipfile

import numpy as np


def header_entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def safetensors_bytes(header, data=b""):
    """Return a file with that header, which is JSON text or an object, and these bytes after it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def safetensors_of(tensors):
    """Return a file with name -> (name of the format's dtype, array)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, array) in tensors.items():
        raw = np.asarray(array).tobytes()
        header[name] = header_entry(dtype, np.shape(array), len(data), len(data) + len(raw))
        data += raw
    return safetensors_bytes(header, data)


def npy_bytes(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def npy_with_header(text, data=b"", version=1):
    """Return a .npy file with any text as its header."""
    raw = text if isinstance(text, bytes) else text.encode()
    length = len(raw).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + raw + data


def npz_bytes(entries, compression=zipfile.ZIP_STORED):
    """Return a .npz file of name of an entry -> bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()
