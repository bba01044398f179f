// Each chart becomes interactive; its picture stays where this fails.
const config = JSON.parse(document.getElementById("chart-config").textContent);

// Panels stand side by side as far as there is room; a square stays one; lines of groups stretch.
const fit = (spec, wide) => {
  if (spec.facet) {
    spec.columns = Math.max(1, Math.floor(wide / 170));
    const panels = new Set(spec.data.values.map((line) => line.name)).size;
    spec.spec.width = Math.min(220, Math.floor(wide / Math.min(panels, spec.columns)) - 64);
  } else if (spec.encoding.y.type === "quantitative") {
    // A course of lines takes more room than the square of a curve.
    spec.width = Math.min(wide, spec.height === spec.width ? 400 : 560);
  } else {
    spec.width = wide;
    spec.encoding.y.axis.labelLimit = Math.round(0.4 * wide);
  }
};

const draw = (script) => {
  const box = document.getElementById(script.dataset.chart);
  const picture = box.innerHTML;
  const spec = JSON.parse(script.textContent);
  fit(spec, Math.min(box.clientWidth, 720));
  const options = {
    mode: "vega-lite",
    actions: false,
    renderer: "svg",
    // Expressions are interpreted, so that the page's policy need not allow eval.
    ast: true,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    config,
  };
  return vegaEmbed(box, spec, options).then(
    () => {
      // Its marks have roles without names; the caption and the table beside it say what it shows.
      for (const part of box.querySelectorAll("svg [role]")) {
        part.removeAttribute("role");
        part.removeAttribute("aria-roledescription");
      }
      box.classList.add("live");
    },
    (error) => { box.innerHTML = picture; console.error(error); },
  );
};

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

// What is folded away has no width, so that it is drawn when it is opened.
const drawn = new WeakSet();
const drawIn = async (within) => {
  // One after the other, with a pause in which the page answers its reader.
  for (const script of within.querySelectorAll("script[data-chart]")) {
    if (drawn.has(script) || script.closest("details:not([open])")) continue;
    drawn.add(script);
    await draw(script);
    await new Promise((resume) => { setTimeout(resume); });
  }
};
for (const fold of document.querySelectorAll("details.fold")) {
  fold.addEventListener("toggle", () => { if (fold.open) drawIn(fold); });
}
await drawIn(document);
