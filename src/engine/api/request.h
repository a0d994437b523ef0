/* Reads a wif_request: its version, its types, its parameters, and the region of memory and of the
 * stream that it means.  Whatever is wrong with it is refused here. */
#ifndef WIF_REQUEST_H
#define WIF_REQUEST_H

#include "kernels/kernels.h"
#include "host/plan.h"
#include "weightinit_fast.h"

/* Have *request point to a request of today's size: to `given` if it has this size, or to `copy`,
 * which then holds its fields, and zeros for those that it lacks. */
wif_status wif_adopt_request(const wif_request *given, wif_request *copy,
                             const wif_request **request);

/* The engine's type and transform of a request. */
wif_status wif_read_kinds(const wif_request *request, enum wif_transform *transform,
                          enum wif_type *type);

/* Prepare the draw, with its key and stream.  The floating-point state is the standard one
 * (host/fpenv.h). */
wif_status wif_read_draw(const wif_request *request, enum wif_transform transform,
                         enum wif_type type, wif_draw *draw);

typedef struct {
    char *data;
    uint64_t first;
    int64_t items; /* how many elements; if 0, the other fields are not set */
    int count;     /* of axes */
    wif_axis axes[WIF_MAX_AXES];
} wif_region;

/* The memory and the part of the stream that a request means.  Whether two elements would share
 * memory is checked too. */
wif_status wif_read_region(const wif_request *request, enum wif_type type, wif_region *region);

/* Whether no id is negative or above `most`. */
int wif_ids_are_within(const int64_t *ids, int64_t count, uint64_t most);

#endif
