// Fills arrays of any strides from C++, through the functions of the installed package.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <weightinit_fast_python.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nb = nanobind;

namespace {

wif_api wif;

void normal(nb::ndarray<float, nb::device::cpu> out, double std, std::uint64_t seed,
            const std::string &stream) {
    std::vector<std::int64_t> shape;
    std::vector<std::ptrdiff_t> strides; // in bytes; those of nanobind are in elements
    for (std::size_t axis = 0; axis < out.ndim(); axis++) {
        shape.push_back(static_cast<std::int64_t>(out.shape(axis)));
        strides.push_back(
            static_cast<std::ptrdiff_t>(out.stride(axis) * std::int64_t{sizeof(float)}));
    }
    // An array without axes is a run of one element.
    const std::int64_t count = out.ndim() ? 0 : 1;
    wif_request request = wif_request_new(out.data(), WIF_FLOAT32, count);
    request.ndim = static_cast<std::int32_t>(out.ndim());
    request.shape = shape.data();
    request.strides = strides.data();
    request.key = wif.key_from_seed(seed);
    request.stream = wif.stream_from_name(stream.data(), stream.size());
    wif_set_normal(&request, 0.0, std);
    wif_status status;
    {
        nb::gil_scoped_release released;
        status = wif.fill(&request);
    }
    if (status != WIF_OK)
        throw nb::value_error(wif.status_text(status));
}

} // namespace

NB_MODULE(wif_example_nanobind, module) {
    if (wif_import(&wif) < 0)
        throw nb::python_error();
    module.def("normal", &normal, nb::arg("out").noconvert(), nb::arg("std"), nb::arg("seed"),
               nb::arg("stream"));
}
