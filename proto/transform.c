/* transform: see transform.h. The bilinear filter of output pixel x has its centre at (x + .5) * scale and the support
 * max(scale, 1), in pixels of the input; weights are a triangle, cut at the borders and made to sum to 1. */
#include "proto/transform.h"

#include "proto/base/fields.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 22 }; /* bits of Pillow's fixed-point weights: 32 - 8 - 2 */

static const char *const ops[] = {"resize", "center_crop", "pad", NULL};
static const struct field rows[] = {
    {"op", FIELD_ENUM, FIELD_REQUIRED, .choices = ops, FIELD_AT(struct transform, op)},
    {"size", FIELD_INT, FIELD_REQUIRED, .min = 1, .max = 4096, FIELD_AT(struct transform, size)},
};

int transform_parse(const json_t *doc, struct transform *out, struct err *err)
{
    return fields_read(doc, rows, FIELDS_COUNT(rows), out, err);
}

json_t *transform_json(const struct transform *t)
{
    return json_pack("{s:s, s:i}", "op", ops[t->op], "size", t->size);
}

struct filter {
    int taps; /* weights per output pixel */
    int *first, *count;
    double *weights; /* [out][taps] */
};

static void filter_clear(struct filter *f)
{
    free(f->first);
    free(f->count);
    free(f->weights);
}

static int filter_make(struct filter *f, int in, int out, struct err *err)
{
    double scale = (double)in / out, support = scale < 1 ? 1 : scale;
    *f = (struct filter){.taps = (int)ceil(support) * 2 + 1};
    f->first = malloc((size_t)out * sizeof(int));
    f->count = malloc((size_t)out * sizeof(int));
    f->weights = calloc((size_t)out * (size_t)f->taps, sizeof(double));
    if (!f->first || !f->count || !f->weights)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to resize %d pixels to %d", in, out);
    for (int x = 0; x < out; x++) {
        double centre = (x + .5) * scale, sum = 0, *w = f->weights + (size_t)x * (size_t)f->taps;
        int lo = (int)(centre - support + .5), hi = (int)(centre + support + .5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > in ? in : hi;
        for (int i = lo; i < hi; i++) {
            double d = fabs((i - centre + .5) / support);
            w[i - lo] = d < 1 ? 1 - d : 0;
            sum += w[i - lo];
        }
        for (int i = 0; i < hi - lo && sum != 0; i++)
            w[i] /= sum;
        f->first[x] = lo;
        f->count[x] = hi - lo;
    }
    return 0;
}

/* One output value; step is the distance of neighbours along the axis. Bytes use Pillow's integer weights. */
static unsigned char sum_u8(const unsigned char *p, size_t step, const double *w, int n)
{
    int32_t s = 1 << (PRECISION - 1);
    for (int i = 0; i < n; i++)
        s += p[(size_t)i * step] * (int32_t)(.5 + w[i] * (1 << PRECISION)); /* triangle weights are not negative */
    s >>= PRECISION;
    return (unsigned char)(s > 255 ? 255 : s);
}

static float sum_f32(const float *p, size_t step, const double *w, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++)
        s += (double)p[(size_t)i * step] * w[i];
    return (float)s;
}

static void pass(const struct image *in, struct image *out, const struct filter *f, int vertical)
{
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++) {
                int along = vertical ? y : x;
                size_t row = (size_t)(vertical ? f->first[along] : y), col = (size_t)(vertical ? x : f->first[along]);
                size_t from = ((size_t)c * (size_t)in->h + row) * (size_t)in->w + col;
                size_t to = ((size_t)c * (size_t)out->h + (size_t)y) * (size_t)out->w + (size_t)x;
                size_t step = vertical ? (size_t)in->w : 1;
                const double *w = f->weights + (size_t)along * (size_t)f->taps;
                if (in->u8)
                    out->u8[to] = sum_u8(in->u8 + from, step, w, f->count[along]);
                else
                    out->f32[to] = sum_f32(in->f32 + from, step, w, f->count[along]);
            }
}

static int resize_axis(struct image *im, int size, int vertical, struct err *err)
{
    struct filter f;
    struct image out = {0};
    int from = vertical ? im->h : im->w;
    if (from == size)
        return 0;
    int rc = filter_make(&f, from, size, err);
    if (rc == 0)
        rc = image_alloc(&out, im->c, vertical ? size : im->h, vertical ? im->w : size, im->f32 != NULL, err);
    if (rc == 0) {
        pass(im, &out, &f, vertical);
        image_clear(im);
        *im = out;
    }
    filter_clear(&f);
    return rc;
}

static int resize(struct image *im, int size, struct err *err)
{
    int h = im->h <= im->w ? size : (int)((int64_t)size * im->h / im->w);
    int w = im->w <= im->h ? size : (int)((int64_t)size * im->w / im->h);
    int rc = resize_axis(im, w, 0, err);
    return rc == 0 ? resize_axis(im, h, 1, err) : rc;
}

/* Copies the h x w pixels at (from_y, from_x) of `in` to (to_y, to_x) of `out`. */
static void blit(const struct image *in, int from_y, int from_x, struct image *out, int to_y, int to_x, int h, int w)
{
    for (int c = 0; c < in->c; c++)
        for (int y = 0; y < h; y++) {
            size_t from = ((size_t)c * (size_t)in->h + (size_t)(from_y + y)) * (size_t)in->w + (size_t)from_x;
            size_t to = ((size_t)c * (size_t)out->h + (size_t)(to_y + y)) * (size_t)out->w + (size_t)to_x;
            if (in->u8)
                memcpy(out->u8 + to, in->u8 + from, (size_t)w);
            else
                memcpy(out->f32 + to, in->f32 + from, (size_t)w * sizeof(float));
        }
}

static int half_even(int twice)
{
    int half = twice / 2;
    return twice % 2 ? half + half % 2 : half;
}

static int center_crop(struct image *im, int size, struct err *err)
{
    struct image out;
    if (im->h < size || im->w < size)
        return err_set(err, ERR_INVALID, "", "an image of %d x %d is smaller than the centre crop of %d", im->w, im->h,
                       size);
    int rc = image_alloc(&out, im->c, size, size, im->f32 != NULL, err);
    if (rc != 0)
        return rc;
    blit(im, half_even(im->h - size), half_even(im->w - size), &out, 0, 0, size, size);
    image_clear(im);
    *im = out;
    return 0;
}

static int pad(struct image *im, int size, struct err *err)
{
    struct image out;
    int rc = image_alloc(&out, im->c, im->h + 2 * size, im->w + 2 * size, im->f32 != NULL, err);
    if (rc != 0)
        return rc;
    size_t n = (size_t)out.c * (size_t)out.h * (size_t)out.w;
    if (out.u8)
        memset(out.u8, 0, n);
    else
        memset(out.f32, 0, n * sizeof(float));
    blit(im, 0, 0, &out, size, size, im->h, im->w);
    image_clear(im);
    *im = out;
    return 0;
}

int transform_apply(const struct transform *steps, size_t count, struct image *im, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = steps[i].op == TRANSFORM_RESIZE        ? resize(im, steps[i].size, err)
             : steps[i].op == TRANSFORM_CENTER_CROP ? center_crop(im, steps[i].size, err)
                                                    : pad(im, steps[i].size, err);
    return rc;
}
