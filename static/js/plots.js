// Charts one can hover and zoom, drawn by uPlot in the place of the server's SVG.
//
// <figure data-plot='{"kind": "bars", "edges": [...], "series": [...]}'> ... <div class="drawn">
// The server gives every number and every text; here they are only drawn. Dragging over a part of
// the time opens the page of that part: of this page, or of [data-zoom-base] around the chart.
(() => {
  "use strict";
  if (!window.uPlot) return; // The still charts stay.
  const HEIGHT = 196;
  const NARROW = 460;
  const AXIS_WIDTH = 56;
  const COLOURS = { "": "--gr-accent", bad: "--gr-bad", c: "--gr-bad", b: "--gr-llm", d: "--gr-agent" };
  const DASHES = { c: [5, 3], d: [2, 3] };
  const plots = new Map(); // By the id of the box that uPlot draws into.
  let leaving = false;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const font = () => `11px ${getComputedStyle(document.body).fontFamily}`;
  const middles = ({ edges }) => edges.slice(1).map((end, i) => (edges[i] + end) / 2);

  // Failed runs stand on the others: the sum is drawn first, then the others over it.
  function columns(data) {
    const values = data.series.map((each) => each.values);
    if (data.kind !== "bars" || values.length === 1) return [middles(data), ...values];
    const [all, some] = values;
    return [middles(data), all, all.map((value, i) => value - some[i])];
  }

  function looks(data) {
    const css = data.series.map((each) => each.css);
    return data.kind === "bars" && css.length > 1 ? [css[1], css[0]] : css;
  }

  // A value between two gaps is a dot, or it would not be seen.
  function alone(u, place) {
    const values = u.data[place];
    return values.flatMap((value, i) => (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []));
  }

  // Across steps of which nothing is known, a faint line joins what is known.
  function bridges(u, { data }) {
    if (data.kind !== "lines") return;
    const at = (i, values) => [u.valToPos(u.data[0][i], "x", true), u.valToPos(values[i], "y", true)];
    u.ctx.save();
    u.ctx.globalAlpha = 0.4;
    u.ctx.lineWidth = devicePixelRatio;
    for (const { css, values } of data.series) {
      const known = [...values.keys()].filter((i) => values[i] !== null);
      u.ctx.strokeStyle = colour(COLOURS[css]);
      u.ctx.beginPath();
      known.slice(1).forEach((i, n) => {
        if (i - known[n] === 1) return;
        u.ctx.moveTo(...at(known[n], values));
        u.ctx.lineTo(...at(i, values));
      });
      u.ctx.stroke();
    }
    u.ctx.restore();
  }

  function seriesOf(data) {
    const bars = data.kind === "bars";
    return looks(data).map((css) => ({
      stroke: bars ? undefined : () => colour(COLOURS[css]),
      fill: bars ? () => colour(COLOURS[css]) : undefined,
      width: bars ? 0 : 1.6,
      dash: DASHES[css],
      paths: bars ? uPlot.paths.bars({ size: [0.86, 80] }) : undefined,
      points: bars ? { show: false } : { show: true, size: 5, fill: () => colour(COLOURS[css]), filter: alone },
    }));
  }

  function axesOf(state) {
    const shared = { stroke: () => colour("--gr-muted"), font: font() };
    const shown = (u) => state.data.ticks.filter((_, i) => u.width > NARROW || i % 2 === 0);
    const steps = () => state.data.labels.length - 1;
    return [
      {
        ...shared,
        size: 24,
        grid: { show: false },
        ticks: { size: 4, stroke: () => colour("--gr-line") },
        splits: (u) => shown(u).map(([at]) => at),
        values: (u) => shown(u).map(([, label]) => label),
      },
      {
        ...shared,
        size: AXIS_WIDTH,
        gap: 6,
        grid: { stroke: () => colour("--gr-line"), width: 1 },
        ticks: { show: false },
        splits: () => state.data.labels.map((_, i) => (state.data.top * i) / steps()),
        values: () => state.data.labels.toReversed(),
      },
    ];
  }

  // --- What is under the pointer -----------------------------------------------------------
  function tell(u, state) {
    const { idx, left } = u.cursor;
    const { readout, data } = state;
    readout.hidden = idx === null || idx === undefined || left < 0;
    if (readout.hidden) return;
    const lines = data.series.map(({ label, texts }) => Object.assign(document.createElement("span"), { textContent: `${texts[idx]} ${label}` }));
    readout.replaceChildren(Object.assign(document.createElement("b"), { textContent: data.words[idx] }), ...lines);
    const at = left + AXIS_WIDTH;
    const fits = at + 12 + readout.offsetWidth < u.width;
    readout.style.left = `${Math.max(0, fits ? at + 12 : at - 12 - readout.offsetWidth)}px`;
  }

  function zoom(u, state) {
    const { left, width } = u.select;
    if (width < 6 || leaving) return;
    leaving = true;
    const { edges } = state.data;
    const [first, last] = [u.posToIdx(left), u.posToIdx(left + width)];
    const base = state.box.closest("[data-zoom-base]")?.dataset.zoomBase ?? location.href;
    const url = new URL(base, location.href);
    ["range", "notice", "undo"].forEach((name) => url.searchParams.delete(name));
    url.searchParams.set("since", new Date(edges[first] * 1000).toISOString());
    url.searchParams.set("until", new Date(edges[last + 1] * 1000).toISOString());
    location.assign(url);
  }

  // --- Drawing -----------------------------------------------------------------------------
  function draw(box, data) {
    const readout = document.createElement("div");
    readout.className = "readout";
    readout.hidden = true;
    const state = { box, data, readout };
    const first = () => state.data.edges[0];
    const options = {
      width: Math.max(160, box.clientWidth),
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      scales: { x: { time: false, range: () => [first(), state.data.edges.at(-1)] }, y: { range: () => [0, state.data.top] } },
      axes: axesOf(state),
      series: [{}, ...seriesOf(data)],
      cursor: { y: false, sync: { key: "time" }, points: { show: data.kind === "lines", size: 7 }, drag: { x: true, y: false, setScale: false, dist: 6 }, bind: { dblclick: () => null } },
      hooks: { drawAxes: [(u) => bridges(u, state)], setCursor: [(u) => tell(u, state)], setSelect: [(u) => zoom(u, state)] },
    };
    state.u = new uPlot(options, columns(data), box);
    box.append(readout);
    state.resized = new ResizeObserver(() => box.clientWidth && state.u.setSize({ width: box.clientWidth, height: HEIGHT }));
    state.resized.observe(box);
    plots.set(box.id, state);
  }

  function forget(id) {
    const { u, resized, readout } = plots.get(id);
    resized.disconnect();
    readout.remove();
    u.destroy();
    plots.delete(id);
  }

  function show(figure) {
    const box = figure.querySelector(".drawn");
    if (!box) return;
    const text = figure.dataset.plot;
    const known = plots.get(box.id);
    if (known?.text === text) return;
    const data = JSON.parse(text);
    if (known && known.data.series.length === data.series.length) {
      known.data = data;
      known.u.setData(columns(data));
      tell(known.u, known);
    } else {
      if (known) forget(box.id);
      draw(box, data);
    }
    plots.get(box.id).text = text;
  }

  function showAll() {
    [...plots].filter(([, { box }]) => !box.isConnected).forEach(([id]) => forget(id));
    document.querySelectorAll("figure[data-plot]").forEach(show);
  }

  function drawAgain() {
    plots.forEach(({ u }) => u.redraw(true, true));
  }

  document.documentElement.dataset.plots = "";
  document.addEventListener("htmx:after:swap", showAll);
  addEventListener("pageshow", () => (leaving = false));
  new MutationObserver(drawAgain).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  showAll();
})();
