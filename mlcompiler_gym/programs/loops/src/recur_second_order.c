// SPDX-License-Identifier: Apache-2.0
// Recurrence of second order: a digital filter whose forward half reads only
// its input, whose backward half reads the two outputs before, and whose last
// statements use both. The pointers may overlap.
// Sizes: 200 1500 8000

#include "loops.h"

enum { ROUNDS = 250 };

typedef struct {
  float b0, b1, b2, a1, a2;
} section;

static float *new_track(size_t size, uint64_t seed) {
  float *track = malloc(size * sizeof *track);
  if (!track)
    abort();
  loops_fill_f32(track, size, seed);
  return track;
}

LOOP static void run(section s, size_t n, const float *in, float *forward,
                     float *out, float *clipped, float *rest) {
  for (size_t i = 2; i < n; i++) {
    forward[i] = s.b0 * in[i] + s.b1 * in[i - 1] + s.b2 * in[i - 2];
    out[i] = forward[i] - s.a1 * out[i - 1] - s.a2 * out[i - 2];
    clipped[i] = out[i] > 0.5f ? 0.5f : out[i] < -0.5f ? -0.5f : out[i];
    rest[i] = 0.25f * rest[i] + (out[i] - clipped[i]);
  }
}

LOOP static void remix(size_t n, float *in, const float *clipped,
                       const float *rest, const float *noise) {
  for (size_t i = 0; i < n; i++)
    in[i] = 0.5f * in[i] - 0.25f * clipped[i] + 0.0625f * rest[i] + noise[i];
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 1500);
  float *in = new_track(n, 1), *forward = new_track(n, 2);
  float *out = new_track(n, 3), *clipped = new_track(n, 4);
  float *rest = new_track(n, 5), *noise = new_track(n, 6);
  section soft = {0.25f, 0.5f, 0.25f, -0.5f, 0.25f};
  section bright = {0.75f, -0.5f, 0.125f, 0.25f, 0.125f};
  for (int round = 0; round < ROUNDS; round++) {
    run(round % 3 ? soft : bright, n, in, forward, out, clipped, rest);
    remix(n, in, clipped, rest, noise);
  }
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, in, n);
  sum = loops_sum_f32(sum, forward, n);
  sum = loops_sum_f32(sum, out, n);
  sum = loops_sum_f32(sum, clipped, n);
  loops_report(loops_sum_f32(sum, rest, n));
  free(in);
  free(forward);
  free(out);
  free(clipped);
  free(rest);
  free(noise);
  return 0;
}
