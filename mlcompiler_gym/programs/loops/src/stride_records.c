// SPDX-License-Identifier: Apache-2.0
// The same motion of particles twice: once over records of five fields, once
// over five arrays. No dependence crosses; in the records every access has
// stride five, and split loops would fetch the same cache lines again.
// Sizes: 400 2500 15000

#include "loops.h"

enum { MAX = 1 << 14, REPEATS = 220 };

typedef struct {
  float x, y, speed_x, speed_y, energy;
} particle;

static particle records[MAX];
static float x[MAX], y[MAX], speed_x[MAX], speed_y[MAX], energy[MAX];

static LOOP void move_records(size_t n, float time) {
  for (size_t i = 0; i < n; i++) {
    particle *p = &records[i];
    p->speed_x -= p->x * time;
    p->speed_y -= p->y * time + 0.0625f;
    p->x = 0.75f * p->x + p->speed_x * time;
    p->y = 0.75f * p->y + p->speed_y * time;
    p->energy = p->speed_x * p->speed_x + p->speed_y * p->speed_y + p->y;
  }
}

static LOOP void move_arrays(size_t n, float time) {
  for (size_t i = 0; i < n; i++) {
    speed_x[i] -= x[i] * time;
    speed_y[i] -= y[i] * time + 0.0625f;
    x[i] = 0.75f * x[i] + speed_x[i] * time;
    y[i] = 0.75f * y[i] + speed_y[i] * time;
    energy[i] = speed_x[i] * speed_x[i] + speed_y[i] * speed_y[i] + y[i];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 2500);
  n = n > MAX ? MAX : n;
  loops_fill_f32(x, n, 421);
  loops_fill_f32(y, n, 422);
  for (size_t i = 0; i < n; i++)
    records[i] = (particle){.x = y[i], .y = x[i]};
  for (int r = 0; r < REPEATS; r++) {
    move_records(n, 1.0f / (float)(r + 8));
    move_arrays(n, 1.0f / (float)(r + 8));
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = kernel_checksum(sum, records, n * sizeof(*records));
  sum = loops_sum_f32(sum, x, n);
  sum = loops_sum_f32(sum, y, n);
  sum = loops_sum_f32(sum, speed_x, n);
  sum = loops_sum_f32(sum, speed_y, n);
  sum = loops_sum_f32(sum, energy, n);
  loops_report(sum);
  return 0;
}
