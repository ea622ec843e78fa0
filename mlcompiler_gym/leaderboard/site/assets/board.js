// SPDX-License-Identifier: Apache-2.0
// Filters a table by a select, and steps through decisions. Without this script all
// rows and all decisions are shown.
"use strict";

for (const select of document.querySelectorAll("select[data-filter]")) {
  const table = document.getElementById(select.dataset.filter);
  const status = document.getElementById("shown");
  const apply = () => {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      row.hidden = select.value !== "" && row.dataset.group !== select.value;
    }
    const shown = rows.filter((row) => !row.hidden).length;
    status.textContent = `${shown} of ${rows.length} submissions`;
  };
  select.addEventListener("change", apply);
  apply();
}

for (const replay of document.querySelectorAll("[data-replay]")) {
  const steps = [...replay.querySelectorAll(".step")];
  const place = replay.querySelector("[data-place]");
  let current = 0;
  const show = (index) => {
    current = Math.min(Math.max(index, 0), steps.length - 1);
    steps.forEach((step, number) => { step.hidden = number !== current; });
    const differs = steps[current].classList.contains("differs");
    place.textContent =
      `${current + 1} of ${steps.length}${differs ? ", other than LLVM's" : ""}`;
  };
  const differing = () => {
    const next = steps.findIndex(
      (step, number) => number > current && step.classList.contains("differs"));
    return next < 0 ? steps.findIndex((step) => step.classList.contains("differs")) : next;
  };
  const go = (where) => {
    if (where === "differs") {
      const next = differing();
      if (next >= 0) show(next);
    } else {
      show(current + Number(where));
    }
  };
  for (const button of replay.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => go(button.dataset.go));
  }
  replay.addEventListener("keydown", (event) => {
    if (event.target.tagName === "PRE") return;  // The arrows scroll it.
    if (event.key === "ArrowLeft") go(-1);
    if (event.key === "ArrowRight") go(1);
  });
  replay.querySelector(".controls").hidden = false;
  const linked = steps.findIndex((step) => `#${step.id}` === location.hash);
  show(Math.max(linked, 0));
}
