// SPDX-License-Identifier: Apache-2.0
// Delaunay and Voronoi, a constrained mesh with a hole, and its refinement.
// Sizes: 50 250 1000

#include "app.h"

#include "triangle.h"

static uint64_t add_mesh(uint64_t sum, const struct triangulateio *mesh) {
  for (int i = 0; i < mesh->numberoftriangles * 3; i++)
    sum = kernel_checksum_u64(sum, (uint64_t)mesh->trianglelist[i]);
  printf("%d %d\n", mesh->numberofpoints, mesh->numberoftriangles);
  return sum;
}

static void release(struct triangulateio *mesh) {
  free(mesh->pointlist);
  free(mesh->pointattributelist);
  free(mesh->pointmarkerlist);
  free(mesh->trianglelist);
  free(mesh->segmentlist);
  free(mesh->segmentmarkerlist);
  free(mesh->edgelist);
  free(mesh->normlist);
}

int main(int argc, char **argv) {
  int count = kernel_size(argc, argv, 50);
  kernel_rng rng = {109};
  struct triangulateio in = {0}, out = {0}, voronoi = {0}, mesh = {0};
  in.numberofpoints = count + 8;
  in.pointlist = app_alloc((size_t)in.numberofpoints * 2 * sizeof(double));
  static const double frame[] = {0,  0,  1,  0,  1,  1,  0,  1,
                                 .4, .4, .6, .4, .6, .6, .4, .6};
  memcpy(in.pointlist, frame, sizeof frame);
  for (int i = 8; i < in.numberofpoints; i++) {
    double x, y;
    do {
      x = app_real(&rng);
      y = app_real(&rng);
    } while (x > .4 && x < .6 && y > .4 && y < .6);
    in.pointlist[2 * i] = x;
    in.pointlist[2 * i + 1] = y;
  }
  triangulate("zQvBPN", &in, &out, &voronoi);
  triangulate("zQveB", &in, &mesh, &voronoi);
  uint64_t sum = add_mesh(KERNEL_CHECKSUM_START, &mesh);
  for (int i = 0; i < voronoi.numberofpoints; i++) {
    char text[32];
    int length = snprintf(text, sizeof text, "%.5g ", voronoi.pointlist[2 * i]);
    sum = kernel_checksum(sum, text, (size_t)length);
  }
  release(&mesh);
  release(&voronoi);
  release(&out);
  int segments[16];
  for (int i = 0; i < 8; i++) {
    segments[2 * i] = i;
    segments[2 * i + 1] = i % 4 == 3 ? i - 3 : i + 1;
  }
  double hole[] = {.5, .5};
  in.numberofsegments = 8;
  in.segmentlist = segments;
  in.numberofholes = 1;
  in.holelist = hole;
  memset(&mesh, 0, sizeof mesh);
  triangulate("zpQq20a0.01", &in, &mesh, NULL);
  sum = add_mesh(sum, &mesh);
  release(&mesh);
  free(in.pointlist);
  app_finish("triangle", sum);
  return 0;
}
