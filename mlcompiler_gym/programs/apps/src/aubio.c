// SPDX-License-Identifier: Apache-2.0
// Pitch, onsets, tempo and cepstra of notes and noise.
// Sizes: 1 4 16

#include "app.h"

#include "aubio.h"
#include <math.h>

enum { WINDOW = 1024, HOP = 256, RATE = 22050 };

int main(int argc, char **argv) {
  int hops = kernel_size(argc, argv, 1) * 40;
  kernel_rng rng = {167};
  fvec_t *input = new_fvec(HOP), *out = new_fvec(2), *beat = new_fvec(2);
  fvec_t *note = new_fvec(1), *cepstrum = new_fvec(13);
  cvec_t *spectrum = new_cvec(WINDOW);
  aubio_onset_t *onset = new_aubio_onset("complex", WINDOW, HOP, RATE);
  aubio_pitch_t *pitch = new_aubio_pitch("yinfft", WINDOW, HOP, RATE);
  aubio_tempo_t *tempo = new_aubio_tempo("specflux", WINDOW, HOP, RATE);
  aubio_pvoc_t *vocoder = new_aubio_pvoc(WINDOW, HOP);
  aubio_mfcc_t *mfcc = new_aubio_mfcc(WINDOW, 40, 13, RATE);
  app_check(onset && pitch && tempo && vocoder && mfcc, "set up");
  double total[3] = {0};
  int onsets = 0, beats = 0;
  for (int hop = 0; hop < hops; hop++) {
    double frequency = 220 * (1 + hop / 20 % 5);
    for (int i = 0; i < HOP; i++) {
      double time = (hop % 20) * HOP + i;
      input->data[i] = (smpl_t)(sin(time * frequency * 6.2831853 / RATE) *
                                    exp(-time / 2000) +
                                0.01 * app_real(&rng));
    }
    aubio_onset_do(onset, input, out);
    onsets += out->data[0] != 0;
    aubio_pitch_do(pitch, input, note);
    total[0] += note->data[0];
    aubio_tempo_do(tempo, input, beat);
    beats += beat->data[0] != 0;
    aubio_pvoc_do(vocoder, input, spectrum);
    aubio_mfcc_do(mfcc, spectrum, cepstrum);
    total[1] += cepstrum->data[1];
    total[2] += cepstrum->data[5];
  }
  printf("%d %d %.3g %.2g %.2g\n", onsets, beats, total[0], total[1], total[2]);
  del_aubio_mfcc(mfcc);
  del_aubio_pvoc(vocoder);
  del_aubio_tempo(tempo);
  del_aubio_pitch(pitch);
  del_aubio_onset(onset);
  del_cvec(spectrum);
  del_fvec(cepstrum);
  del_fvec(note);
  del_fvec(beat);
  del_fvec(out);
  del_fvec(input);
  return 0;
}
