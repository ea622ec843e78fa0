// SPDX-License-Identifier: Apache-2.0
// Minima of functions, found without and with derivatives.
// Sizes: 100 400 2000

#include "app.h"

#include "nlopt.h"

enum { VARIABLES = 4 };

// Rosenbrock's function of several variables.
static double valley(unsigned n, const double *x, double *gradient,
                     void *data) {
  double value = 0;
  ++*(int *)data;
  for (unsigned i = 0; gradient && i < n; i++)
    gradient[i] = 0;
  for (unsigned i = 0; i + 1 < n; i++) {
    double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
    value += 10 * a * a + b * b;
    if (gradient) {
      gradient[i] += -40 * a * x[i] - 2 * b;
      gradient[i + 1] += 20 * a;
    }
  }
  return value;
}

int main(int argc, char **argv) {
  int evaluations = kernel_size(argc, argv, 100);
  static const nlopt_algorithm algorithms[] = {
      NLOPT_LN_NELDERMEAD, NLOPT_LN_SBPLX,   NLOPT_LN_BOBYQA,
      NLOPT_LN_PRAXIS,     NLOPT_LD_MMA,     NLOPT_LD_SLSQP,
      NLOPT_LD_LBFGS,      NLOPT_LD_TNEWTON, NLOPT_LD_VAR2,
      NLOPT_GN_DIRECT_L,   NLOPT_GN_CRS2_LM, NLOPT_GN_ISRES,
      NLOPT_GN_ESCH};
  for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
    int calls = 0;
    double x[VARIABLES] = {-1.2, 1, 0.5, -0.7}, best;
    nlopt_srand(5);
    nlopt_opt optimizer = nlopt_create(algorithms[i], VARIABLES);
    nlopt_set_lower_bounds1(optimizer, -2);
    nlopt_set_upper_bounds1(optimizer, 2);
    nlopt_set_min_objective(optimizer, valley, &calls);
    nlopt_set_maxeval(optimizer, evaluations);
    nlopt_set_xtol_rel(optimizer, 1e-6);
    app_check(nlopt_optimize(optimizer, x, &best) > 0, "minimise");
    // Not how many calls it took: the last of them are for rounding errors.
    printf("%d %.2f\n", (int)i, best + 1e-4);
    nlopt_destroy(optimizer);
  }
  return 0;
}
