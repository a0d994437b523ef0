/* Writes five tensors to standard output, one after the other.  tests/consumers compares them with
 * what the Python functions draw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weightinit_fast.h>

static void stop(wif_status status) {
    if (status != WIF_OK) {
        fprintf(stderr, "example: %s\n", wif_status_text(status));
        exit(1);
    }
}

static void write_out(const void *data, size_t bytes) {
    if (fwrite(data, 1, bytes, stdout) != bytes)
        exit(2);
}

int main(void) {
    static float normal[1000], he[64 * 3 * 7 * 7], rows[4][16];
    static double truncated[100];
    static uint16_t part[17][33]; /* 33 rows and 17 columns in Fortran order, of bfloat16 */
    const wif_key key = wif_key_from_seed(7);

    /* normal(1000, mean=0.5, std=0.02, rng=7, stream="layer.weight") */
    const char name[] = "layer.weight";
    wif_request request = wif_request_new(normal, WIF_FLOAT32, 1000);
    request.key = key;
    request.stream = wif_stream_from_name(name, strlen(name));
    wif_set_normal(&request, 0.5, 0.02);
    stop(wif_fill(&request));
    write_out(normal, sizeof normal);

    /* uniform((100, 17), low=-1, dtype="bfloat16", index=np.s_[5:70:2], out=Fortran order) */
    const int64_t shape[] = {33, 17}, whole[] = {100, 17}, start[] = {5, 0}, step[] = {2, 1};
    const ptrdiff_t strides[] = {2, 33 * 2};
    request = wif_request_new(part, WIF_BFLOAT16, 0);
    request.key = key;
    request.ndim = 2;
    request.shape = shape;
    request.whole = whole;
    request.start = start;
    request.step = step;
    request.strides = strides;
    request.buffer = part;
    request.buffer_bytes = sizeof part;
    wif_set_uniform(&request, -1, 1);
    stop(wif_fill(&request));
    write_out(part, sizeof part);

    /* truncated_normal(100, lower=-1, upper=3, dtype="float64", rng=7, stream=9) */
    wif_interval interval;
    stop(wif_prepare_interval(-1, 3, WIF_FLOAT64, &interval));
    request = wif_request_new(truncated, WIF_FLOAT64, 100);
    request.key = key;
    request.stream = 9;
    request.interval = &interval;
    wif_set_truncated_normal(&request, 0, 1, -1, 3);
    stop(wif_fill(&request));
    write_out(truncated, sizeof truncated);

    /* he_normal((64, 3, 7, 7), rng=7) */
    const int64_t weight[] = {64, 3, 7, 7};
    int64_t fan_in, fan_out;
    stop(wif_fans(4, weight, NULL, 1, 0, &fan_in, &fan_out));
    request = wif_request_new(he, WIF_FLOAT32, 64 * 3 * 7 * 7);
    request.key = key;
    stop(wif_set_he(&request, WIF_NORMAL, 0, (double)fan_in));
    stop(wif_fill(&request));
    write_out(he, sizeof he);

    /* normal((10, 16), rng=7, rows=[3, 10**12, 0, 3]) */
    const int64_t ids[] = {3, INT64_C(1000000000000), 0, 3}, table[] = {4, 16};
    request = wif_request_new(rows, WIF_FLOAT32, 0);
    request.key = key;
    request.ndim = 2;
    request.shape = table;
    request.rows = ids;
    wif_set_normal(&request, 0, 1);
    stop(wif_fill(&request));
    write_out(rows, sizeof rows);
    return fflush(stdout) != 0;
}
