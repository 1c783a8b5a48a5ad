// The landing page's street: a slider between picture and mask, and the class of the pixel under the pointer.
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.ep-wipe")) {
    const layers = figure.querySelector(".ep-layers");
    const slider = figure.querySelector("input");
    const readout = figure.querySelector("output");
    const columns = Number(figure.dataset.columns);
    const labels = figure.dataset.labels;
    const names = Object.fromEntries(figure.dataset.names.split(" ").map((pair) => pair.split(":")));
    const show = () => layers.style.setProperty("--cut", `${slider.value}%`);
    slider.addEventListener("input", show);
    show();
    layers.addEventListener("pointermove", (event) => {
      const box = layers.getBoundingClientRect();
      const rows = labels.length / columns;
      const column = Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns)));
      const row = Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows)));
      readout.textContent = `Row ${row}, column ${column}: ${names[labels[row * columns + column]]}`;
    });
  }
});
