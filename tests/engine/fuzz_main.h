/* The main function of a fuzz target that is built without libFuzzer.
 *
 *   PROGRAM FILE...     runs each file
 *   PROGRAM -runs=N     runs N random inputs
 */
#ifndef WIF_LIBFUZZER
static int run_file(const char *name) {
    static uint8_t data[4096];
    FILE *file = fopen(name, "rb");
    if (!file)
        return fprintf(stderr, "no file %s\n", name), 2;
    const size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    return LLVMFuzzerTestOneInput(data, size);
}

static void run_random(long runs) {
    uint64_t x = 0x9e3779b97f4a7c15;
    for (long run = 0; run < runs; run++) {
        uint8_t data[80];
        for (size_t k = 0; k < sizeof data; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            data[k] = (uint8_t)(x >> 32);
        }
        LLVMFuzzerTestOneInput(data, sizeof data);
    }
}

int main(int argc, char **argv) {
    int status = 0;
    for (int k = 1; k < argc; k++)
        if (!strncmp(argv[k], "-runs=", 6))
            run_random(strtol(argv[k] + 6, 0, 10));
        else
            status |= run_file(argv[k]);
    return status;
}
#endif
