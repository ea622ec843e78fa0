// SPDX-License-Identifier: Apache-2.0
// Bodies fall on a slope, collide, and hang on springs and joints.
// Sizes: 20 100 400

#include "app.h"

#include "chipmunk/chipmunk.h"

int main(int argc, char **argv) {
  int steps = kernel_size(argc, argv, 20);
  kernel_rng rng = {23};
  enum { BODIES = 60 };
  cpBody *bodies[BODIES];
  cpSpace *space = cpSpaceNew();
  cpSpaceSetGravity(space, cpv(0, -100));
  cpSpaceSetIterations(space, 8);
  cpShape *ground =
      cpSpaceAddShape(space, cpSegmentShapeNew(cpSpaceGetStaticBody(space),
                                               cpv(-300, 0), cpv(300, -40), 2));
  cpShapeSetFriction(ground, 0.8);
  for (int i = 0; i < BODIES; i++) {
    cpFloat width = 6 + 8 * app_real(&rng), mass = 1 + app_real(&rng);
    bodies[i] = cpSpaceAddBody(
        space, cpBodyNew(mass, cpMomentForBox(mass, width, width)));
    cpBodySetPosition(bodies[i], cpv((i % 10) * 16 - 80,
                                     10 + (i / 10) * 18 + app_real(&rng)));
    cpShape *shape = cpSpaceAddShape(
        space, i % 3 ? cpBoxShapeNew(bodies[i], width, width, 0.5)
                     : cpCircleShapeNew(bodies[i], width / 2, cpvzero));
    cpShapeSetFriction(shape, 0.5);
    cpShapeSetElasticity(shape, 0.3);
    if (i % 10 == 9)
      cpSpaceAddConstraint(
          space, cpPinJointNew(bodies[i], bodies[i - 1], cpvzero, cpvzero));
    if (i % 10 == 5)
      cpSpaceAddConstraint(space,
                           cpDampedSpringNew(bodies[i], bodies[i - 1], cpvzero,
                                             cpvzero, 12, 50, 1));
  }
  for (int i = 0; i < steps; i++)
    cpSpaceStep(space, 1.0 / 60);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < BODIES; i++) {
    cpVect at = cpBodyGetPosition(bodies[i]);
    char line[80];
    int length = snprintf(line, sizeof line, "%.6g %.6g %.6g\n", at.x, at.y,
                          cpBodyGetAngle(bodies[i]));
    sum = kernel_checksum(sum, line, (size_t)length);
  }
  // The bodies' shapes and constraints are not freed: the program ends here.
  app_finish("chipmunk", sum);
  return 0;
}
