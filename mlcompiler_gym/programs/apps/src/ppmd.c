// SPDX-License-Identifier: Apache-2.0
// Text through prediction by partial matching, and back.
// Sizes: 5 25 100

#include "app.h"

#include "Ppmd7.h"

static unsigned char *packed;
static size_t length, at;

static void write_byte(const IByteOut *out, Byte byte) {
  (void)out;
  packed[length++] = byte;
}

static Byte read_byte(const IByteIn *in) {
  (void)in;
  return at < length ? packed[at++] : 0;
}

static void *allocate(size_t size) { return malloc(size); }

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 5) << 10;
  kernel_rng rng = {97};
  char *text = app_alloc(size);
  packed = app_alloc(2 * size + 64);
  app_text(text, size, &rng);
  IAlloc memory = {allocate, free};
  IByteOut out = {write_byte};
  IByteIn in = {read_byte};
  CPpmd7 *model = app_alloc(sizeof *model);
  Ppmd7_Construct(model);
  app_check(Ppmd7_Alloc(model, 1 << 20, &memory), "allocate");
  Ppmd7_Init(model, 6);
  CPpmd7z_RangeEnc encoder;
  Ppmd7z_RangeEnc_Init(&encoder);
  encoder.Stream = &out;
  for (size_t i = 0; i < size; i++)
    Ppmd7_EncodeSymbol(model, &encoder, (unsigned char)text[i]);
  Ppmd7z_RangeEnc_FlushData(&encoder);
  Ppmd7_Init(model, 6);
  CPpmd7z_RangeDec decoder;
  decoder.Stream = &in;
  app_check(Ppmd7z_RangeDec_Init(&decoder), "begin");
  for (size_t i = 0; i < size; i++)
    app_check(Ppmd7_DecodeSymbol(model, &decoder) == (unsigned char)text[i],
              "decode");
  Ppmd7_Free(model, &memory);
  app_finish("ppmd", kernel_checksum(KERNEL_CHECKSUM_START, packed, length));
  free(model);
  free(text);
  free(packed);
  return 0;
}
