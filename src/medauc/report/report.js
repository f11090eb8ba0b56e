"use strict";
// Draws the figures, moves the operating point, copies the methods, opens everything for print.
// Intervals come with the page; here numbers are only looked up and re-weighted to another prevalence.

const RATES = ["sensitivity", "specificity", "ppv", "npv", "flagged"];
const read = (element) => JSON.parse(element.textContent);

const draw = (plot) => {
  if (plot.dataset.drawn) return;
  plot.dataset.drawn = "yes";
  const { data, layout } = read(plot.nextElementSibling);
  const options = { responsive: true, displayModeBar: false };
  Plotly.newPlot(plot, data, layout, options).then(() => plot.dispatchEvent(new Event("drawn")));
};

document.querySelectorAll(".plot").forEach((plot) => {
  const closed = plot.closest("details:not([open])"); // a hidden figure has no width yet
  if (closed) closed.addEventListener("toggle", () => draw(plot), { once: true });
  else draw(plot);
});

const atThreshold = (table, place) => {
  const tp = table.tp[place], fp = table.fp[place];
  const fn = table.positives - tp, tn = table.negatives - fp;
  const bounds = Object.fromEntries(RATES.map((rate) => [rate, table[rate][place]]));
  const values = {
    sensitivity: tp / (tp + fn),
    specificity: tn / (tn + fp),
    ppv: tp / (tp + fp),
    npv: tn / (tn + fn),
    flagged: (tp + fp) / (tp + fp + tn + fn),
  };
  return { threshold: table.threshold[place], counts: { tp, fp, tn, fn }, values, bounds };
};

// What two rates give where a share of the samples is positive (Bayes' theorem).
const atPrevalence = (sensitivity, specificity, share) => {
  const found = sensitivity * share, alarms = (1 - specificity) * (1 - share);
  const cleared = specificity * (1 - share), missed = (1 - sensitivity) * share;
  return { ppv: found / (found + alarms), npv: cleared / (cleared + missed), flagged: found + alarms };
};

const reweight = ({ values, bounds }, share) => {
  const [low, high] = [0, 1].map((end) => atPrevalence(bounds.sensitivity[end], bounds.specificity[end], share));
  const few = atPrevalence(bounds.sensitivity[0], bounds.specificity[1], share).flagged;
  const many = atPrevalence(bounds.sensitivity[1], bounds.specificity[0], share).flagged;
  return {
    values: { ...values, ...atPrevalence(values.sensitivity, values.specificity, share) },
    bounds: { ...bounds, ppv: [low.ppv, high.ppv], npv: [low.npv, high.npv], flagged: [few, many] },
  };
};

const write = (rate, value) =>
  Number.isFinite(value) ? (rate === "flagged" ? Math.round(1000 * value).toString() : value.toFixed(3)) : "undefined";

const moveTrace = (plot, x, y) => {
  const place = (plot.data || []).findIndex((trace) => trace.meta === "slider");
  if (place >= 0) Plotly.restyle(plot, y ? { x: [x], y: [y] } : { x: [x] }, [place]);
};

document.querySelectorAll(".explorer").forEach((explorer) => {
  const table = read(explorer.querySelector("script"));
  const slider = explorer.querySelector(".threshold"), field = explorer.querySelector(".prevalence");
  const output = explorer.querySelector("output"), remark = explorer.querySelector(".reweighted");
  const [roc, , scores] = explorer.closest(".panel").querySelectorAll(".plot");

  const show = () => {
    const found = atThreshold(table, Number(slider.value));
    const share = Number(field.value) / 100;
    const elsewhere = field.value !== field.dataset.own && share > 0 && share < 1;
    const { values, bounds } = elsewhere ? reweight(found, share) : found;
    for (const rate of RATES) {
      const [, value, interval] = explorer.querySelector(`[data-rate="${rate}"]`).children;
      value.textContent = write(rate, values[rate]);
      interval.textContent =
        bounds[rate] && Number.isFinite(values[rate]) ? bounds[rate].map((bound) => write(rate, bound)).join(" to ") : "";
    }
    for (const [name, count] of Object.entries(found.counts)) {
      explorer.querySelector(`[data-count="${name}"]`).textContent = count;
    }
    remark.hidden = !elsewhere;
    const { tp, fp } = found.counts, threshold = found.threshold.toPrecision(4);
    const text =
      `Threshold ${threshold}: ${tp} of ${table.positives} positives found, ` +
      `${fp} of ${table.negatives} negatives flagged.`;
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    explorer.querySelectorAll("button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.place === slider.value));
    });
    moveTrace(roc, [1 - found.values.specificity], [found.values.sensitivity]);
    moveTrace(scores, [found.threshold, found.threshold]);
  };

  slider.addEventListener("input", show);
  field.addEventListener("input", show);
  [roc, scores].forEach((plot) => plot.addEventListener("drawn", show));
  explorer.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => {
      slider.value = button.dataset.place;
      show();
    });
  });
  show();
});

document.querySelectorAll(".copy").forEach((button) => {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    getSelection().selectAllChildren(source);
    const done = await navigator.clipboard?.writeText(source.innerText).then(() => true, () => false);
    const told = done || document.execCommand("copy") ? "Copied." : "Selected: copy it with the keyboard.";
    button.parentElement.querySelector("output").textContent = told;
  });
});

// On paper nothing can be opened, and a figure as wide as a narrow window has no room beside another.
const WIDEST_BESIDE = 515; // pixels, before print shrinks them
let opened = [];
addEventListener("beforeprint", () => {
  const wide = [...document.querySelectorAll(".plots .plot")].some((plot) => plot.offsetWidth > WIDEST_BESIDE);
  document.body.classList.toggle("stacked", wide);
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((part) => {
    part.open = true;
    part.querySelectorAll(".plot").forEach(draw);
  });
});
addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));
