// Fills one buffer twice with std::thread, and writes it to standard output: first each thread
// fills a part of it, then one fill brings threads of its own and tells how far it is.
#include <weightinit_fast.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <vector>

namespace {

void stop(wif_status status) {
    if (status != WIF_OK) {
        std::fprintf(stderr, "example: %s\n", wif_status_text(status));
        std::exit(1);
    }
}

wif_request glorot(float *data, std::int64_t count) {
    wif_request request = wif_request_new(data, WIF_FLOAT32, count);
    request.key = wif_key_from_seed(7);
    request.stream = 1;
    stop(wif_set_xavier(&request, WIF_UNIFORM, 1.0, 300, 1000));
    return request;
}

// Threads of the caller: each takes one chunk after the other.  The calling thread does so too, so
// that it hears how far the fill is.  No exception may leave this function.
int on_threads(void *context, std::int64_t chunks, int threads, wif_chunk *run, void *fill) {
    std::atomic<std::int64_t> next{0};
    const auto work = [&] {
        for (std::int64_t chunk; (chunk = next++) < chunks;)
            run(fill, chunk);
    };
    std::vector<std::thread> pool;
    try {
        for (int k = 1; k < threads; k++)
            pool.emplace_back(work);
    } catch (const std::exception &) {
        // The system gave no more threads, and those that there are run all chunks.
    }
    work();
    for (auto &thread : pool)
        thread.join();
    *static_cast<int *>(context) += 1;
    return 0;
}

int progress(void *context, std::int64_t done, std::int64_t total) {
    *static_cast<bool *>(context) = done == total;
    return 0;
}

} // namespace

int main() {
    constexpr std::int64_t items = 300 * 1000, parts = 7;
    std::vector<float> one(items), other(items);

    std::vector<std::thread> threads;
    for (std::int64_t k = 0; k < parts; k++)
        threads.emplace_back([&one, k] {
            const std::int64_t first = items * k / parts, end = items * (k + 1) / parts;
            wif_request request = glorot(one.data() + first, end - first);
            request.first = static_cast<std::uint64_t>(first);
            request.threads = 1;
            stop(wif_fill(&request));
        });
    for (auto &thread : threads)
        thread.join();

    int calls = 0;
    bool ended = false;
    wif_request request = glorot(other.data(), items);
    request.threads = 3;
    request.parallel_for = on_threads;
    request.parallel_context = &calls;
    request.progress = progress;
    request.progress_context = &ended;
    stop(wif_fill(&request));
    if (one != other || calls != 1 || !ended)
        return 3;
    return std::fwrite(one.data(), sizeof(float), one.size(), stdout) != one.size();
}
