// Pages about what nobody announces: fetched again now and then, while somebody looks.
//
// <section id="report" data-refresh-s="15" hx-get="/operations" hx-trigger="live" hx-target="this">
(() => {
  "use strict";
  document.querySelectorAll("[data-refresh-s]").forEach(({ id, dataset }) => {
    const look = () => document.hidden || document.getElementById(id)?.dispatchEvent(new CustomEvent("live"));
    setInterval(look, 1000 * dataset.refreshS);
    document.addEventListener("visibilitychange", look);
  });
})();
