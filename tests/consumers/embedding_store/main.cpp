// An embedding store: a hash map from ids to rows.  A row that is not there yet is drawn when it is
// first read, in batches, by its id.  So a store that begins anew, or another one with the same
// seed, draws the same rows, whatever the order in which they are asked for.
#include <weightinit_fast.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <unordered_map>
#include <vector>

class EmbeddingStore {
  public:
    EmbeddingStore(std::int64_t width, double std, std::uint64_t seed, const char *name,
                   std::size_t length)
        : width_(width), std_(std), key_(wif_key_from_seed(seed)),
          stream_(wif_stream_from_name(name, length)) {}

    // Copy the rows of these ids to `out`, one after the other.  An id that no row can have raises
    // an exception, and the store stays as it was.
    void lookup(const std::vector<std::int64_t> &ids, float *out) {
        std::vector<std::int64_t> absent;
        for (const auto id : ids)
            if (place_.count(id) == 0)
                absent.push_back(id);
        std::sort(absent.begin(), absent.end());
        absent.erase(std::unique(absent.begin(), absent.end()), absent.end());
        create(absent);
        for (const auto id : ids) {
            const float *row = values_.data() + place_.at(id) * static_cast<std::size_t>(width_);
            for (std::int64_t k = 0; k < width_; k++)
                *out++ = row[k];
        }
    }

    std::size_t size() const { return rows_; }

  private:
    void create(const std::vector<std::int64_t> &ids) {
        const std::size_t width = static_cast<std::size_t>(width_);
        values_.resize((rows_ + ids.size()) * width);
        const std::int64_t shape[] = {static_cast<std::int64_t>(ids.size()), width_};
        wif_request request = wif_request_new(values_.data() + rows_ * width, WIF_FLOAT32, 0);
        request.key = key_;
        request.stream = stream_;
        request.ndim = 2;
        request.shape = shape;
        request.rows = ids.data();
        wif_set_normal(&request, 0.0, std_);
        const wif_status status = wif_fill(&request);
        if (status != WIF_OK)
            throw std::invalid_argument(wif_status_text(status));
        // The map hears of the rows when they are there.  Otherwise a refused id would be found by
        // the next lookup, without a row.
        for (const auto id : ids)
            place_.emplace(id, rows_++);
    }

    std::int64_t width_;
    double std_;
    wif_key key_;
    std::uint64_t stream_;
    std::size_t rows_ = 0;
    std::vector<float> values_;
    std::unordered_map<std::int64_t, std::size_t> place_;
};

int main() {
    constexpr std::int64_t width = 24;
    EmbeddingStore store(width, 0.05, 7, "users", 5);
    // Three batches, with ids that repeat, and that no table of a fixed size would have.
    const std::vector<std::vector<std::int64_t>> batches = {
        {5, 900000000000, 5, 0}, {7, 5}, {123456789, 0, 7, 8}};
    for (const auto &batch : batches) {
        std::vector<float> rows(batch.size() * width);
        store.lookup(batch, rows.data());
        if (std::fwrite(rows.data(), sizeof(float), rows.size(), stdout) != rows.size())
            return 2;
    }
    // A row -1 is refused, and the row 3 is not drawn beside it.
    std::vector<float> rows(2 * width);
    for (int trial = 0; trial < 2; trial++) {
        try {
            store.lookup({3, -1}, rows.data());
            return 3;
        } catch (const std::invalid_argument &) {
        }
    }
    return store.size() != 6;
}
