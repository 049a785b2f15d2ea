/* image: see image.h. libjpeg and libpng report errors by callback; both end in a longjmp to the one function that
 * called them, which frees what was begun. */
#include "proto/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

enum { MAX_SCANS = 100, MAX_CHUNK = 8 << 20 };

int image_alloc(struct image *im, int c, int h, int w, int is_float, struct err *err)
{
    *im = (struct image){.c = c, .h = h, .w = w};
    if (c < 1 || h < 1 || w < 1 || c > 16 || h > IMAGE_MAX_SIDE || w > IMAGE_MAX_SIDE || (long)h * w > IMAGE_MAX_PIXELS)
        return err_set(err, ERR_TOO_LARGE, "",
                       "an image of %d x %d x %d; 1 to 16 channels and at most %d a side are read", c, h, w,
                       IMAGE_MAX_SIDE);
    size_t n = (size_t)c * (size_t)h * (size_t)w;
    void *p = malloc(is_float ? n * sizeof(float) : n);
    if (!p)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for an image of %d x %d", w, h);
    if (is_float)
        im->f32 = p;
    else
        im->u8 = p;
    return 0;
}

void image_clear(struct image *im)
{
    free(im->u8);
    free(im->f32);
    *im = (struct image){0};
}

static void spread_row(struct image *im, int y, const unsigned char *rgb)
{
    size_t plane = (size_t)im->h * (size_t)im->w, row = (size_t)y * (size_t)im->w;
    for (int x = 0; x < im->w; x++)
        for (int c = 0; c < 3; c++)
            im->u8[(size_t)c * plane + row + (size_t)x] = rgb[3 * x + c];
}

struct jpeg {
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char text[JMSG_LENGTH_MAX];
    unsigned char *row;
};

static void jpeg_fatal(j_common_ptr c)
{
    struct jpeg *j = c->client_data;
    c->err->format_message(c, j->text);
    longjmp(j->out, 1);
}

/* A cut or damaged file is only a warning to libjpeg, which fills in grey. Bytes between markers harm nothing. */
static void jpeg_warning(j_common_ptr c, int level)
{
    if (level < 0 && c->err->msg_code != JWRN_EXTRANEOUS_DATA && c->err->msg_code != JWRN_ADOBE_XFORM)
        jpeg_fatal(c);
}

static void jpeg_scan(j_common_ptr c) /* a small file can ask for thousands of passes over a large picture */
{
    struct jpeg *j = c->client_data;
    if (j->d.input_scan_number > MAX_SCANS) {
        snprintf(j->text, sizeof j->text, "more than %d scans", MAX_SCANS);
        longjmp(j->out, 1);
    }
}

static int jpeg_run(struct jpeg *j, const void *data, size_t n, struct image *out, struct err *err)
{
    if (setjmp(j->out))
        return err_set(err, ERR_CORRUPT, "", "damaged JPEG: %s", j->text);
    jpeg_create_decompress(&j->d);
    j->d.client_data = j;
    j->d.progress = &j->progress;
    j->progress.progress_monitor = jpeg_scan;
    jpeg_mem_src(&j->d, data, (unsigned long)n);
    jpeg_read_header(&j->d, TRUE);
    if (j->d.jpeg_color_space == JCS_CMYK || j->d.jpeg_color_space == JCS_YCCK)
        return err_set(err, ERR_UNSUPPORTED, "", "a CMYK JPEG; RGB and grey are read");
    j->d.out_color_space = JCS_RGB;
    int rc = image_alloc(out, 3, (int)j->d.image_height, (int)j->d.image_width, 0, err);
    if (rc != 0)
        return rc;
    j->row = malloc((size_t)out->w * 3);
    if (!j->row)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a row");
    jpeg_start_decompress(&j->d);
    while (j->d.output_scanline < j->d.output_height) {
        int y = (int)j->d.output_scanline;
        jpeg_read_scanlines(&j->d, &j->row, 1);
        spread_row(out, y, j->row);
    }
    jpeg_finish_decompress(&j->d);
    return 0;
}

static int decode_jpeg(const void *data, size_t n, struct image *out, struct err *err)
{
    struct jpeg *j = calloc(1, sizeof *j);
    if (!j)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    j->d.err = jpeg_std_error(&j->errors);
    j->d.client_data = j;
    j->errors.error_exit = jpeg_fatal;
    j->errors.emit_message = jpeg_warning;
    int rc = jpeg_run(j, data, n, out, err);
    jpeg_destroy_decompress(&j->d);
    free(j->row);
    free(j);
    return rc;
}

struct png {
    png_structp png;
    png_infop info;
    const unsigned char *data;
    size_t n, at;
    unsigned char *pixels;
    png_bytep *rows;
    char text[128];
};

static void png_fatal(png_structp p, png_const_charp text)
{
    struct png *s = png_get_error_ptr(p);
    snprintf(s->text, sizeof s->text, "%s", text);
    png_longjmp(p, 1);
}

static void png_quiet(png_structp p, png_const_charp text)
{
    (void)p;
    (void)text;
}

static void png_take(png_structp p, png_bytep out, png_size_t n)
{
    struct png *s = png_get_io_ptr(p);
    if (n > s->n - s->at)
        png_error(p, "truncated");
    memcpy(out, s->data + s->at, n);
    s->at += n;
}

static int png_to_rgb8(struct png *s, int *h, int *w)
{
    png_set_user_limits(s->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(s->png, MAX_CHUNK);
    png_set_read_fn(s->png, s, png_take);
    png_read_info(s->png, s->info);
    png_set_scale_16(s->png);
    png_set_packing(s->png);
    png_set_palette_to_rgb(s->png);
    png_set_expand_gray_1_2_4_to_8(s->png);
    png_set_gray_to_rgb(s->png);
    png_set_strip_alpha(s->png);
    png_set_interlace_handling(s->png);
    png_read_update_info(s->png, s->info);
    *h = (int)png_get_image_height(s->png, s->info);
    *w = (int)png_get_image_width(s->png, s->info);
    return png_get_rowbytes(s->png, s->info) == (size_t)*w * 3 ? 0 : -1;
}

static int png_run(struct png *s, struct image *out, struct err *err)
{
    if (setjmp(png_jmpbuf(s->png)))
        return err_set(err, ERR_CORRUPT, "", "damaged PNG: %s", s->text);
    int h, w;
    if (png_to_rgb8(s, &h, &w) != 0)
        return err_set(err, ERR_UNSUPPORTED, "", "a PNG whose pixels do not become RGB");
    int rc = image_alloc(out, 3, h, w, 0, err);
    if (rc != 0)
        return rc;
    s->pixels = malloc((size_t)h * (size_t)w * 3);
    s->rows = malloc((size_t)h * sizeof *s->rows);
    if (!s->pixels || !s->rows)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for an image of %d x %d", w, h);
    for (int y = 0; y < h; y++)
        s->rows[y] = s->pixels + (size_t)y * (size_t)w * 3;
    png_read_image(s->png, s->rows);
    png_read_end(s->png, NULL);
    for (int y = 0; y < h; y++)
        spread_row(out, y, s->rows[y]);
    return 0;
}

static int decode_png(const void *data, size_t n, struct image *out, struct err *err)
{
    struct png s = {.data = data, .n = n};
    s.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, png_fatal, png_quiet);
    s.info = s.png ? png_create_info_struct(s.png) : NULL;
    int rc = s.info ? png_run(&s, out, err) : err_set(err, ERR_NO_MEMORY, "", "no memory");
    png_destroy_read_struct(&s.png, &s.info, NULL);
    free(s.pixels);
    free(s.rows);
    return rc;
}

int image_decode(const void *data, size_t n, struct image *out, struct err *err)
{
    *out = (struct image){0};
    int rc;
    if (n > 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
        rc = decode_jpeg(data, n, out, err);
    else if (n > 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        rc = decode_png(data, n, out, err);
    else
        rc = err_set(err, ERR_UNSUPPORTED, "", "neither JPEG nor PNG");
    if (rc != 0)
        image_clear(out);
    return rc;
}
