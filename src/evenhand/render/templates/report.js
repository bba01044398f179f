// Each chart becomes interactive; its picture stays where this fails.
const config = JSON.parse(document.getElementById("chart-config").textContent);

const draw = (script) => {
  const box = document.getElementById(script.dataset.chart);
  const picture = box.innerHTML;
  const spec = JSON.parse(script.textContent);
  spec.width = Math.min(box.clientWidth, 720);
  spec.encoding.y.axis.labelLimit = Math.round(0.4 * spec.width);
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
    () => box.classList.add("live"),
    (error) => { box.innerHTML = picture; console.error(error); },
  );
};

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

// One after the other, with a pause in which the page answers its reader.
for (const script of document.querySelectorAll("script[data-chart]")) {
  await draw(script);
  await new Promise((resume) => { setTimeout(resume); });
}
