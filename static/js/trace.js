// The trace of a run: a tree grid by keyboard and pointer, and the step beside it.
// Bound once on the document, so that markup swapped in by htmx needs no set-up of its own.
(() => {
  "use strict";
  const { _ } = window.greenroomTexts;
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const ROW = "#trace tr[data-span-row]";
  const folded = new Set(); // Ids of rows, kept while the trace is fetched again.

  function announce(text) {
    const live = $("#live");
    if (live) live.textContent = text;
  }

  const level = (row) => Number(row.ariaLevel);
  const link = (row) => $("a.step", row);
  const rowOf = (element) => element?.closest?.(ROW) ?? null;
  const shown = () => $$(ROW).filter((row) => !row.hidden);

  // --- Folding -----------------------------------------------------------------------------
  function drawFolds() {
    let hiddenBelow = Infinity;
    $$(ROW).forEach((row) => {
      const depth = level(row);
      if (depth <= hiddenBelow) hiddenBelow = Infinity;
      row.hidden = depth > hiddenBelow;
      if (row.ariaExpanded === null) return;
      const isFolded = folded.has(row.id);
      row.ariaExpanded = String(!isFolded);
      if (isFolded && !row.hidden) hiddenBelow = depth;
    });
  }

  function fold(row, isFolded) {
    if (isFolded) folded.add(row.id);
    else folded.delete(row.id);
    drawFolds();
    announce(isFolded ? _("Folded") : _("Unfolded"));
  }

  function parentOf(row) {
    let above = row.previousElementSibling;
    while (above && level(above) >= level(row)) above = above.previousElementSibling;
    return above;
  }

  function reveal(row) {
    for (let above = parentOf(row); above; above = parentOf(above)) folded.delete(above.id);
    drawFolds();
  }

  // --- Focus: one row of the tree is a stop of the Tab key ------------------------------------
  function rove(row) {
    $$(`${ROW} a.step[tabindex="0"]`).forEach((each) => (each.tabIndex = -1));
    if (row) link(row).tabIndex = 0;
  }

  function settleFocus() {
    const links = $$(`${ROW} a.step`);
    links.forEach((each) => (each.tabIndex = -1));
    rove(rowOf(document.activeElement) ?? $(`${ROW}.sel`) ?? shown()[0]);
  }

  function focusRow(row, block = "nearest") {
    if (!row) return;
    link(row).focus({ preventScroll: true });
    row.scrollIntoView({ block });
  }

  // --- The step beside the trace --------------------------------------------------------------
  function load(url, target) {
    const headers = { "HX-Target": target === "#side" ? "div#side" : "section#trace-panel" };
    return htmx.ajax("GET", url, { source: target, target, swap: "outerMorph", replace: "true", headers });
  }

  function select(row) {
    $$(`${ROW}.sel`).forEach((each) => {
      each.classList.remove("sel");
      link(each).ariaCurrent = null;
    });
    if (!row) return;
    row.classList.add("sel");
    link(row).ariaCurrent = "true";
  }

  function open(row) {
    reveal(row);
    select(row);
    focusRow(row);
    const given = $("#trace-find ~ input[name=span]");
    if (given) Object.assign(given, { value: row.id.slice(5), disabled: false });
    return load(withView(link(row).href), "#side").then(showBelow);
  }

  // On a narrow screen the step stands below the trace, out of sight.
  function showBelow() {
    if (matchMedia("(max-width: 760px)").matches) $("#step")?.scrollIntoView();
  }

  // The view that was chosen stays from step to step; the conversation is of the run.
  function withView(href) {
    const view = new URLSearchParams(location.search).get("view");
    if (!view || view === "conversation") return href;
    const url = new URL(href);
    url.searchParams.set("view", view);
    return url.href;
  }

  function follow(event, anchor) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const row = rowOf(anchor) ?? rowLinkedBy(anchor);
    if (!row && !anchor.dataset.part) return;
    event.preventDefault();
    if (anchor.dataset.part) {
      if (!new URL(anchor.href).searchParams.has("span")) select(null);
      load(anchor.href, anchor.dataset.part);
    } else open(row);
  }

  // A link of the conversation to a step that is drawn.
  function rowLinkedBy(anchor) {
    if (!anchor.closest("#side")) return null;
    const url = new URL(anchor.href);
    const id = url.pathname === location.pathname && !anchor.dataset.part && url.searchParams.get("span");
    return id ? document.getElementById(`span-${id}`) : null;
  }

  // --- Errors and hits ------------------------------------------------------------------------
  function jump(rows, step, more) {
    const from = rowOf(document.activeElement) ?? $(`${ROW}.sel`);
    const isAfter = (row) => from && from.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING;
    const isBefore = (row) => from && from.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_PRECEDING;
    const found = step > 0 ? rows.find((row) => !from || isAfter(row)) : rows.findLast((row) => !from || isBefore(row));
    if (!found && step > 0 && more) return location.assign(more);
    const row = found ?? rows.at(step > 0 ? 0 : -1);
    if (!row) return undefined;
    const place = { number: rows.indexOf(row) + 1, count: rows.length };
    announce(more ? _("%(number)s of %(count)s that are drawn", place) : _("%(number)s of %(count)s", place));
    reveal(row);
    focusRow(row, "center");
    return row;
  }

  const nextError = (step) => jump($$(`${ROW}.has-error`), step, $("#trace-panel")?.dataset.restError);

  function nextHit(step) {
    const row = jump($$(`${ROW}.hit`), step);
    if (row) open(row);
  }

  // --- Keys -----------------------------------------------------------------------------------
  const ARROWS = {
    ArrowDown: (row) => focusRow(shown()[shown().indexOf(row) + 1]),
    ArrowUp: (row) => focusRow(shown()[shown().indexOf(row) - 1]),
    ArrowRight: (row) => (row.ariaExpanded === "false" ? fold(row, false) : row.ariaExpanded && ARROWS.ArrowDown(row)),
    ArrowLeft: (row) => (row.ariaExpanded === "true" ? fold(row, true) : focusRow(parentOf(row))),
    Home: () => focusRow(shown()[0]),
    End: () => focusRow(shown().at(-1)),
  };

  function inFind(event) {
    if (event.key !== "Enter" || event.target.id !== "trace-find" || !$(`${ROW}.hit`)) return false;
    if (event.target.value !== (new URLSearchParams(location.search).get("find") ?? "")) return false;
    event.preventDefault();
    nextHit(event.shiftKey ? -1 : 1);
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || inFind(event)) return;
    if (!$("#trace") || event.target.closest?.("input, textarea, select, dialog[open]")) return;
    const row = rowOf(event.target);
    const act = row ? ARROWS[event.key] : undefined;
    if (act) act(row);
    else if (event.key === "e" || event.key === "E") nextError(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  });

  // --- Events ---------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, a");
    if (!target || !$("#trace-panel")) return;
    if (target.matches(".twist")) fold(rowOf(target), rowOf(target).ariaExpanded === "true");
    else if (target.matches("[data-hit]")) nextHit(Number(target.dataset.hit));
    else if (target.matches("[data-next-error]")) {
      event.preventDefault();
      nextError(1);
    } else if (target.matches("a[href]")) follow(event, target);
  });

  document.addEventListener("focusin", (event) => rowOf(event.target) && rove(rowOf(event.target)));

  // An open run is fetched as it is looked at now.
  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement?.id !== "run") return;
    const url = new URL(location.href);
    url.searchParams.set("find", $("#trace-find")?.value ?? "");
    ctx.request.action = url.pathname + url.search;
  });

  document.addEventListener("htmx:after:swap", () => {
    if (!$("#trace")) return;
    drawFolds();
    settleFocus();
  });

  // `#span-…` of a step that is not drawn: the server knows where it is.
  function deepLink() {
    const id = /^#span-([0-9a-f]{16})$/.exec(location.hash)?.[1];
    if (!id || !$("#trace-panel")) return;
    const row = document.getElementById(`span-${id}`);
    if (row) open(row);
    else location.replace(`${location.pathname}?span=${id}#step`);
  }

  if ($("#trace")) {
    settleFocus();
    $(`${ROW}.sel`)?.scrollIntoView({ block: "nearest" });
    if (location.hash.startsWith("#span-")) deepLink();
  }
  addEventListener("hashchange", deepLink);
})();
