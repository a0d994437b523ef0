/* The function that compiled programs of XLA call to draw, as a handler of XLA's foreign function
 * interface (FFI).  weightinit_fast/jax/traced/ calls it under jax.jit.
 *
 * The library is a plain shared library.  It uses no Python, so that one file serves every version
 * of CPython, and it does not link the engine, so that a process has one pool of threads:
 * weightinit_fast/jax/traced/library.py loads it by ctypes, gives it the engine's table of
 * functions (wif_xla_use_engine), and registers wif_xla_draw with XLA.  (What system/system.h
 * declares has no state, and is linked into both.)
 *
 * wif_xla_draw is called without the GIL, by any thread of XLA, and by several at once, one for
 * each device.  Programs may be loaded from files (jax.export), so that the handler checks all
 * numbers, types and sizes that it is given.  It refuses by an XLA_FFI_Error, which JAX raises as
 * an exception.  A call has:
 *
 *   operand 0  uint32[batch..., 4]: the words of a key for each tensor of the batch.
 *   operand 1  uint32[axes, 2], which may be missing: the position in the whole tensor at which the
 *              result begins along each axis, as low and high word.  It is missing where the result
 *              is the whole tensor.
 *   result 0   [batch..., lengths...] of a type that the engine draws.
 *   whole      int64 array: the shape of the whole tensor, one length for each axis.
 *   transform  int64: WIF_CONSTANT to WIF_TRUNCATED_NORMAL.
 *   parameters float64 array of 4: those of the transform.
 *   stream     int64: the bits of the number of the stream.
 *
 * The result may reach beyond the whole tensor: XLA gives each device a block of the same shape,
 * and pads the last one where an axis is not divisible.  The padding is set to zero.
 *
 * Versions.  The API of XLA's header has a version, 0.N, and XLA refuses a handler that says it was
 * made for a newer one than XLA has.  The handler uses only what 0.1 has (jaxlib 0.6 to 0.8), whose
 * structs and numbers later versions have kept, which is checked below.  So a build with the header
 * of one version works with older and newer versions of XLA, and the handler says so: it tells the
 * older of the two versions.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "xla/ffi/api/c_api.h"

#include "compiler.h"
#include "system/system.h"
#include "weightinit_fast.h"

#if XLA_FFI_API_MAJOR != 0
#error "the major version of XLA's FFI changed: read what its header says, and check this file"
#endif

/* What the handler reads is where API 0.1 has it.  (The sizes are those of 64-bit systems, on which
 * alone jaxlib exists.) */
#define IS_AT(type, field, offset)                                                                 \
    _Static_assert(offsetof(type, field) == (offset), "another layout than that of XLA's API 0.1")
IS_AT(XLA_FFI_Metadata_Extension, extension_base.type, 8);
IS_AT(XLA_FFI_Metadata_Extension, extension_base.next, 16);
IS_AT(XLA_FFI_Metadata_Extension, metadata, 24);
IS_AT(XLA_FFI_Metadata, api_version, 8);
IS_AT(XLA_FFI_Metadata, traits, 32);
IS_AT(XLA_FFI_Api_Version, major_version, 16);
IS_AT(XLA_FFI_Api_Version, minor_version, 20);
IS_AT(XLA_FFI_Api, api_version, 16);
IS_AT(XLA_FFI_Api, XLA_FFI_Error_Create, 48);
IS_AT(XLA_FFI_Error_Create_Args, message, 16);
IS_AT(XLA_FFI_Error_Create_Args, errc, 24);
IS_AT(XLA_FFI_CallFrame, api, 16);
IS_AT(XLA_FFI_CallFrame, stage, 32);
IS_AT(XLA_FFI_CallFrame, args, 40);
IS_AT(XLA_FFI_CallFrame, rets, 80);
IS_AT(XLA_FFI_CallFrame, attrs, 120);
IS_AT(XLA_FFI_Buffer, dtype, 16);
IS_AT(XLA_FFI_Buffer, data, 24);
IS_AT(XLA_FFI_Buffer, rank, 32);
IS_AT(XLA_FFI_Buffer, dims, 40);

enum {
    /* Axes of a result: those of the batch, and those of the tensor. */
    RANK_MOST = WIF_AXES_MOST,
    /* XLA allocates its results by malloc.  glibc maps new memory for blocks of this size and more,
     * always.  So their pages are made during the fill. */
    NEW_MEMORY_BYTES = 32 << 20
};

/* ---- the engine ------------------------------------------------------------------------------ */

static wif_api engine;

/* Take the engine's table.  Return 0, or -1 if it is none that this library can use.  It is called
 * once, before wif_xla_draw is registered. */
WIF_EXPORT int wif_xla_use_engine(const wif_api *table) {
    if (!table || table->size < offsetof(wif_api, prepare_interval) || table->api_version < 1 ||
        table->stream_version != WIF_STREAM_VERSION)
        return -1;
    memcpy(&engine, table, table->size < sizeof engine ? table->size : sizeof engine);
    return 0;
}

/* The version of XLA's header that this library was built with, as 1000 * major + minor. */
WIF_EXPORT int wif_xla_header_version(void) { return 1000 * XLA_FFI_API_MAJOR + XLA_FFI_API_MINOR; }

/* ---- errors ---------------------------------------------------------------------------------- */

static XLA_FFI_Error *refuse_as(const XLA_FFI_CallFrame *frame, XLA_FFI_Error_Code code,
                                const char *reason) {
    char text[256];
    (void)snprintf(text, sizeof text, "weightinit_fast cannot draw: %s", reason);
    XLA_FFI_Error_Create_Args args;
    memset(&args, 0, sizeof args);
    args.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
    args.message = text; /* XLA copies it */
    args.errc = code;
    return frame->api->XLA_FFI_Error_Create(&args);
}

static XLA_FFI_Error *refuse(const XLA_FFI_CallFrame *frame, const char *reason) {
    return refuse_as(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, reason);
}

/* ---- what a call brings ---------------------------------------------------------------------- */

/* A buffer of the call, or NULL if it is none of a sensible form. */
static const XLA_FFI_Buffer *sound_buffer(const void *given) {
    const XLA_FFI_Buffer *const b = given;
    if (!b || b->struct_size < XLA_FFI_STRUCT_SIZE(XLA_FFI_Buffer, dims) || b->rank < 0 ||
        b->rank > RANK_MOST || (b->rank && !b->dims))
        return NULL;
    int64_t items = 1;
    int is_empty = 0;
    for (int64_t k = 0; k < b->rank; k++) {
        const int64_t n = b->dims[k] ? b->dims[k] : 1; /* no product of some lengths overflows */
        if (n < 0 || items > INT64_MAX / 8 / n)
            return NULL;
        items *= n;
        is_empty |= !b->dims[k];
    }
    return is_empty || b->data ? b : NULL;
}

static const XLA_FFI_Buffer *operand(const XLA_FFI_CallFrame *frame, int64_t k) {
    return frame->args.types[k] == XLA_FFI_ArgType_BUFFER ? sound_buffer(frame->args.args[k])
                                                          : NULL;
}

/* The attribute of a name and a type, or NULL. */
static const void *attribute(const XLA_FFI_CallFrame *frame, const char *name,
                             XLA_FFI_AttrType type) {
    const size_t length = strlen(name);
    for (int64_t k = 0; k < frame->attrs.size; k++) {
        const XLA_FFI_ByteSpan *const found = frame->attrs.names[k];
        if (found->len == length && !memcmp(found->ptr, name, length))
            return frame->attrs.types[k] == type ? frame->attrs.attrs[k] : NULL;
    }
    return NULL;
}

/* Read a number of 64 bits; return whether it is there. */
static int read_number(const XLA_FFI_CallFrame *frame, const char *name, int64_t *number) {
    const XLA_FFI_Scalar *const found = attribute(frame, name, XLA_FFI_AttrType_SCALAR);
    if (!found || found->dtype != XLA_FFI_DataType_S64 || !found->value)
        return 0;
    memcpy(number, found->value, sizeof *number);
    return 1;
}

/* The data of an array of 8-byte numbers, or NULL. */
static const void *read_array(const XLA_FFI_CallFrame *frame, const char *name,
                              XLA_FFI_DataType dtype, int64_t length) {
    const XLA_FFI_Array *const found = attribute(frame, name, XLA_FFI_AttrType_ARRAY);
    return found && found->dtype == dtype && found->size == (size_t)length ? found->data : NULL;
}

static int32_t wif_dtype(XLA_FFI_DataType dtype, size_t *itemsize) {
    switch ((int)dtype) {
    case XLA_FFI_DataType_F32:
        *itemsize = 4;
        return WIF_FLOAT32;
    case XLA_FFI_DataType_F64:
        *itemsize = 8;
        return WIF_FLOAT64;
    case XLA_FFI_DataType_F16:
        *itemsize = 2;
        return WIF_FLOAT16;
    case XLA_FFI_DataType_BF16:
        *itemsize = 2;
        return WIF_BFLOAT16;
    case XLA_FFI_DataType_F8E4M3FN:
        *itemsize = 1;
        return WIF_FLOAT8_E4M3FN;
    case XLA_FFI_DataType_F8E5M2:
        *itemsize = 1;
        return WIF_FLOAT8_E5M2;
    default:
        return 0;
    }
}

/* ---- the draw -------------------------------------------------------------------------------- */

/* A block of a tensor: what of it lies in the whole tensor, and where it lies in memory. */
typedef struct {
    int32_t axes;
    int64_t shape[RANK_MOST], start[RANK_MOST];
    ptrdiff_t strides[RANK_MOST];
    size_t bytes; /* of the whole block in memory */
    int is_padded;
} block;

/* Read the block from its lengths, the whole tensor's, and the words of its start (or NULL).
 * Return NULL, or what is wrong. */
static const char *read_block(block *b, int32_t axes, const int64_t *lengths, const int64_t *whole,
                              const uint32_t *words, size_t itemsize) {
    b->axes = axes;
    b->bytes = itemsize; /* sound_buffer() has seen that no product overflows */
    b->is_padded = 0;
    for (int32_t k = axes - 1; k >= 0; k--) {
        const uint64_t start = words ? words[2 * k] | (uint64_t)words[2 * k + 1] << 32 : 0;
        if (whole[k] < 0)
            return "a length of the whole tensor is negative";
        if (!words && lengths[k] != whole[k])
            return "the result is not the whole tensor, and no operand says which part it is";
        /* XLA's last blocks may be all padding. */
        const int64_t left = start < (uint64_t)whole[k] ? whole[k] - (int64_t)start : 0;
        b->shape[k] = lengths[k] < left ? lengths[k] : left;
        b->start[k] = b->shape[k] ? (int64_t)start : 0;
        b->strides[k] = (ptrdiff_t)b->bytes;
        b->is_padded |= b->shape[k] < lengths[k];
        b->bytes *= (size_t)lengths[k];
    }
    return NULL;
}

static wif_status draw_block(wif_request *request, const block *b, const int64_t *whole, char *data,
                             const uint32_t *key) {
    request->data = data;
    request->buffer = data;
    request->buffer_bytes = b->bytes;
    request->key.low = key[0] | (uint64_t)key[1] << 32;
    request->key.high = key[2] | (uint64_t)key[3] << 32;
    if (b->axes) {
        request->ndim = b->axes;
        request->shape = b->shape;
        request->strides = b->strides;
        request->whole = whole;
        request->start = b->start;
    } else {
        request->count = 1;
    }
    if (b->is_padded)
        memset(data, 0, b->bytes);
    return engine.fill(request);
}

static XLA_FFI_Error *draw(const XLA_FFI_CallFrame *frame) {
    if (!engine.fill)
        return refuse_as(frame, XLA_FFI_Error_Code_FAILED_PRECONDITION,
                         "import weightinit_fast.jax before the program runs");
    if (frame->stage != XLA_FFI_ExecutionStage_EXECUTE)
        return refuse(frame, "it is called in another stage than that of execution");
    if ((frame->args.size != 1 && frame->args.size != 2) || frame->rets.size != 1)
        return refuse(frame, "a call has one or two operands and one result");

    const XLA_FFI_Buffer *const words = operand(frame, 0);
    if (!words || words->dtype != XLA_FFI_DataType_U32 || words->rank < 1 ||
        words->dims[words->rank - 1] != 4)
        return refuse(frame, "operand 0 is no array of keys, uint32[..., 4]");
    const XLA_FFI_Buffer *const result =
        frame->rets.types[0] == XLA_FFI_RetType_BUFFER ? sound_buffer(frame->rets.rets[0]) : NULL;
    const int32_t batch_axes = (int32_t)words->rank - 1;
    if (!result || result->rank < batch_axes)
        return refuse(frame, "the result has fewer axes than the keys, or more than 64");
    const int32_t axes = (int32_t)result->rank - batch_axes;
    int64_t tensors = 1;
    for (int32_t k = 0; k < batch_axes; k++) {
        if (result->dims[k] != words->dims[k])
            return refuse(frame, "the result has another number of tensors than there are keys");
        tensors *= result->dims[k];
    }
    size_t itemsize = 0;
    const int32_t dtype = wif_dtype(result->dtype, &itemsize);
    if (!dtype)
        return refuse(frame, "the result is of a type that is not drawn; the types are float32, "
                             "float64, float16, bfloat16, float8_e4m3fn and float8_e5m2");

    const uint32_t *start = NULL;
    if (frame->args.size == 2) {
        const XLA_FFI_Buffer *const found = operand(frame, 1);
        if (!found || found->dtype != XLA_FFI_DataType_U32 || found->rank != 2 ||
            found->dims[0] != axes || found->dims[1] != 2)
            return refuse(frame, "operand 1 is no array of positions, uint32[axes, 2]");
        start = found->data;
    }

    const int64_t *const whole = read_array(frame, "whole", XLA_FFI_DataType_S64, axes);
    if (axes && !whole)
        return refuse(frame, "the attribute whole is no int64 array with a length for each axis");
    const double *const parameters = read_array(frame, "parameters", XLA_FFI_DataType_F64, 4);
    int64_t transform, stream;
    if (!parameters || !read_number(frame, "transform", &transform) ||
        !read_number(frame, "stream", &stream))
        return refuse(frame, "the attributes transform and stream, int64, and parameters, float64 "
                             "array of 4, are not all there");
    if (transform < WIF_CONSTANT || transform > INT32_MAX)
        return refuse(frame, "there is no such transform");

    wif_request request = wif_request_new(NULL, dtype, 0);
    request.transform = (int32_t)transform;
    request.stream = (uint64_t)stream;
    memcpy(request.parameters, parameters, sizeof request.parameters);
    block b;
    const char *const wrong =
        read_block(&b, axes, axes ? result->dims + batch_axes : NULL, whole, start, itemsize);
    if (wrong)
        return refuse(frame, wrong);

    char *data = result->data;
    const uint32_t *key = words->data;
    const size_t bytes = (size_t)tensors * b.bytes; /* sound_buffer() knows that this fits */
    if (bytes >= WIF_HUGE_PAGES_BYTES)
        wif_advise_huge_pages(data, bytes);
    if (bytes >= NEW_MEMORY_BYTES)
        request.flags = WIF_FLAG_FRESH_MEMORY;
    for (int64_t n = 0; n < tensors; n++, data += b.bytes, key += 4) {
        const wif_status status = draw_block(&request, &b, whole, data, key);
        if (status != WIF_OK)
            return refuse(frame, engine.status_text(status));
    }
    return NULL;
}

/* ---- the handler ----------------------------------------------------------------------------- */

/* Tell XLA for which version of its API the handler is made (see the beginning).  XLA tells its own
 * version here too, except in jaxlib 0.6, which has no pointer to its API here. */
static void tell_version(const XLA_FFI_CallFrame *frame, XLA_FFI_Metadata *metadata) {
    const int of_xla = frame->api ? frame->api->api_version.minor_version : 1;
    metadata->api_version.major_version = XLA_FFI_API_MAJOR;
    metadata->api_version.minor_version = of_xla < XLA_FFI_API_MINOR ? of_xla : XLA_FFI_API_MINOR;
    metadata->traits = 0;
}

WIF_EXPORT XLA_FFI_Error *wif_xla_draw(XLA_FFI_CallFrame *frame) {
    /* All extensions begin alike.  The type of their beginning has other names in later headers. */
    const XLA_FFI_Metadata_Extension *e = (void *)frame->extension_start;
    for (; e; e = (void *)e->extension_base.next)
        if (e->extension_base.type == XLA_FFI_Extension_Metadata) {
            tell_version(frame, e->metadata);
            return NULL;
        }
    return draw(frame);
}
