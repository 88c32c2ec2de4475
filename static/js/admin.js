// Lists of the data admin: what can be done with selected rows shows once a row is selected.
// Without scripts it shows always, and works.
document.querySelectorAll("[data-selection-bar]").forEach((bar) => {
  bar.hidden = !document.querySelector("table[data-rows] tbody input:checked");
});
