// Fills NumPy arrays of any strides from C++, through the functions of the installed package.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <weightinit_fast_python.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace py = pybind11;

namespace {

wif_api wif;

void normal(py::array_t<float> out, double std, std::uint64_t seed, const std::string &stream) {
    std::vector<std::int64_t> shape(out.shape(), out.shape() + out.ndim());
    std::vector<std::ptrdiff_t> strides(out.strides(), out.strides() + out.ndim());
    // An array without axes is a run of one element.
    const std::int64_t count = out.ndim() ? 0 : 1;
    wif_request request = wif_request_new(out.mutable_data(), WIF_FLOAT32, count);
    request.ndim = static_cast<std::int32_t>(out.ndim());
    request.shape = shape.data();
    request.strides = strides.data();
    request.key = wif.key_from_seed(seed);
    request.stream = wif.stream_from_name(stream.data(), stream.size());
    wif_set_normal(&request, 0.0, std);
    wif_status status;
    {
        py::gil_scoped_release released;
        status = wif.fill(&request);
    }
    if (status != WIF_OK)
        throw std::invalid_argument(wif.status_text(status));
}

} // namespace

PYBIND11_MODULE(wif_example_pybind11, module) {
    if (wif_import(&wif) < 0)
        throw py::error_already_set();
    module.def("normal", &normal, py::arg("out").noconvert(), py::arg("std"), py::arg("seed"),
               py::arg("stream"));
}
