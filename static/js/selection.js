// Ticking rows of a list: a range with Shift, the focused row with x, all that match.
// What is ticked is kept while the list is fetched again.
(() => {
  "use strict";
  const BOXES = "tbody input[name=ids][form=selection]";
  const picked = new Set();
  // By its row: what is fetched meanwhile, such as how many rows match, may draw the boxes anew.
  let last = "";

  const form = () => document.querySelector("form[data-selection]");
  const boxes = () => [...document.querySelectorAll(BOXES)];

  function set(box, checked) {
    if (box.checked === checked) return;
    box.checked = checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function pick(box) {
    if (box.checked) picked.add(box.value);
    else picked.delete(box.value);
  }

  function show() {
    const bar = form();
    if (!bar) return;
    const some = boxes().some((box) => box.checked);
    const matching = bar.querySelector("[data-select-matching]");
    bar.toggleAttribute("data-some", some);
    if (some) bar.querySelector("[hx-trigger^=selection]")?.dispatchEvent(new CustomEvent("selection"));
    else if (matching) matching.checked = false;
  }

  function clear() {
    boxes().forEach((box) => set(box, false));
    boxes()[0]?.focus();
  }

  // Everything between the last box that was ticked and this one becomes as this one.
  function range(box) {
    const all = boxes();
    const began = all.findIndex((each) => each.value === last);
    const [from, to] = [began, all.indexOf(box)].sort((one, other) => one - other);
    if (from < 0) return;
    all.slice(from, to + 1).forEach((each) => set(each, box.checked));
  }

  document.addEventListener("click", (event) => {
    const box = event.target.closest(BOXES);
    if (box) {
      if (event.shiftKey) range(box);
      last = box.value;
    }
    if (event.target.closest("[data-select-page]")) boxes().forEach((each) => set(each, true));
    if (event.target.closest("[data-select-none]")) clear();
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches(`${BOXES}, [data-select-all]`)) return;
    boxes().forEach(pick);
    show();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input:not([type=checkbox],[type=radio]), textarea, select, [contenteditable]")) return;
    const box = document.activeElement.closest?.("tr")?.querySelector("input[name=ids]");
    if (!box) return;
    event.preventDefault();
    set(box, !box.checked);
    last = box.value;
  });

  // A list that was fetched again shows what was ticked before.
  document.addEventListener("htmx:after:swap", () => {
    const all = boxes();
    all.forEach((box) => (box.checked = picked.has(box.value)));
    const ticked = all.find((box) => box.checked) ?? all[0];
    ticked?.dispatchEvent(new Event("change", { bubbles: true }));
    show();
  });

  boxes().forEach(pick);
  show();
})();
