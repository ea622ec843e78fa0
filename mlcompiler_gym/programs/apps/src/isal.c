// SPDX-License-Identifier: Apache-2.0
// Deflate and inflate, checksums, and an erasure code that mends what is lost.
// Sizes: 20 100 400

#include "app.h"

#include "crc.h"
#include "crc64.h"
#include "erasure_code.h"
#include "igzip_lib.h"

enum { DATA = 6, PARITY = 3, ALL = DATA + PARITY };

static uint64_t mend(unsigned char *data, size_t piece) {
  unsigned char encode[ALL * DATA], lost[DATA * DATA], inverse[DATA * DATA];
  unsigned char tables[DATA * PARITY * 32], *pieces[ALL], *left[DATA];
  for (int i = 0; i < ALL; i++)
    pieces[i] = i < DATA ? data + (size_t)i * piece : app_alloc(piece);
  gf_gen_cauchy1_matrix(encode, ALL, DATA);
  ec_init_tables(DATA, PARITY, encode + DATA * DATA, tables);
  ec_encode_data((int)piece, DATA, PARITY, tables, pieces, pieces + DATA);
  // The first two pieces are lost.
  for (int i = 0; i < DATA; i++) {
    left[i] = pieces[i + 2];
    memcpy(lost + i * DATA, encode + (i + 2) * DATA, DATA);
  }
  app_check(gf_invert_matrix(lost, inverse, DATA) == 0, "invert");
  ec_init_tables(DATA, 2, inverse, tables);
  unsigned char *mended[2] = {app_alloc(piece), app_alloc(piece)};
  ec_encode_data((int)piece, DATA, 2, tables, left, mended);
  app_check(!memcmp(mended[0], pieces[0], piece) &&
                !memcmp(mended[1], pieces[1], piece),
            "mend");
  uint64_t sum = kernel_checksum(KERNEL_CHECKSUM_START, pieces[DATA], piece);
  for (int i = DATA; i < ALL; i++)
    free(pieces[i]);
  free(mended[0]);
  free(mended[1]);
  return sum;
}

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 20) << 10;
  kernel_rng rng = {73};
  unsigned char *text = app_alloc(size), *back = app_alloc(size);
  unsigned char *packed = app_alloc(size + 1024);
  app_text((char *)text, size, &rng);
  struct isal_zstream *stream = app_alloc(sizeof *stream);
  unsigned char *buffer = app_alloc(ISAL_DEF_LVL1_DEFAULT);
  isal_deflate_init(stream);
  stream->level = 1;
  stream->level_buf = buffer;
  stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  stream->end_of_stream = 1;
  stream->next_in = text;
  stream->avail_in = (uint32_t)size;
  stream->next_out = packed;
  stream->avail_out = (uint32_t)size + 1024;
  app_check(isal_deflate(stream) == COMP_OK, "deflate");
  struct inflate_state *state = app_alloc(sizeof *state);
  isal_inflate_init(state);
  state->next_in = packed;
  state->avail_in = stream->total_out;
  state->next_out = back;
  state->avail_out = (uint32_t)size;
  app_check(isal_inflate(state) == ISAL_DECOMP_OK && state->total_out == size &&
                !memcmp(text, back, size),
            "inflate");
  uint64_t sum =
      kernel_checksum(KERNEL_CHECKSUM_START, packed, stream->total_out);
  sum = kernel_checksum_u64(sum, crc32_ieee(1, text, size));
  sum = kernel_checksum_u64(sum, crc32_gzip_refl(1, text, size));
  sum = kernel_checksum_u64(sum, crc32_iscsi(text, (int)size, 1));
  sum = kernel_checksum_u64(sum, crc16_t10dif(1, text, size));
  sum = kernel_checksum_u64(sum, crc64_ecma_refl(1, text, size));
  sum = kernel_checksum_u64(sum, crc64_rocksoft_norm(1, text, size));
  sum = kernel_checksum_u64(sum, mend(text, size / DATA));
  app_finish("isal", sum);
  free(buffer);
  free(stream);
  free(state);
  free(text);
  free(back);
  free(packed);
  return 0;
}
