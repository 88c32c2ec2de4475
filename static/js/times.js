// Moments on pages: "3 min ago" stays true, and whoever comes by keyboard sees the whole as well.
(() => {
  "use strict";
  const { _, ngettext } = window.greenroomTexts;
  const REFRESH_MS = 10000;
  const DAY_S = 86400;
  const STEPS = [
    [60, 1, (num) => _("%(num)s s ago", { num }), (num) => _("in %(num)s s", { num })],
    [3600, 60, (num) => _("%(num)s min ago", { num }), (num) => _("in %(num)s min", { num })],
    [DAY_S, 3600, (num) => _("%(num)s h ago", { num }), (num) => _("in %(num)s h", { num })],
    [Infinity, DAY_S, (num) => ngettext("%(num)s day ago", "%(num)s days ago", num), (num) => ngettext("in %(num)s day", "in %(num)s days", num)],
  ];

  // The server's words (templating.ago), so that what is fetched anew does not read differently.
  function relativeText(seconds) {
    const size = Math.abs(seconds);
    if (size < 10) return _("just now");
    const [, divisor, before, after] = STEPS.find(([limit]) => size < limit);
    return (seconds > 0 ? before : after)(Math.floor(size / divisor));
  }

  function refresh() {
    if (document.hidden) return;
    document.querySelectorAll("time[data-relative]").forEach((time) => {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      // Older moments stay the dates that the server wrote.
      const text = Math.abs(seconds) < 30 * DAY_S ? relativeText(seconds) : time.textContent;
      if (text !== time.textContent) time.textContent = text;
    });
  }

  // --- The whole moment for the keyboard: a title shows for the mouse only -------------------
  const tip = document.createElement("div");
  tip.className = "time-tip";
  tip.role = "tooltip";
  tip.hidden = true;

  function momentOf(focused) {
    const own = focused.matches("time[title]") ? focused : focused.querySelector("time[title]");
    return own ?? (focused.matches(".row-link") ? focused.closest("tr")?.querySelector("time[title]") : null);
  }

  function showTip(event) {
    tip.hidden = true;
    const focused = event.target;
    if (!focused.matches("a, time") || !focused.matches(":focus-visible")) return;
    const time = momentOf(focused);
    if (!time || time.offsetParent === null) return;
    tip.textContent = time.title;
    document.body.append(tip);
    tip.hidden = false;
    const place = time.getBoundingClientRect();
    const left = Math.min(place.left, innerWidth - tip.offsetWidth - 8);
    const below = place.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${(below ? place.bottom + 6 : place.top - tip.offsetHeight - 6) + scrollY}px`;
  }

  document.addEventListener("focusin", showTip);
  document.addEventListener("focusout", () => (tip.hidden = true));
  document.addEventListener("keydown", (event) => event.key === "Escape" && (tip.hidden = true));

  // --- The browser's own zone, on the account page -------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-browser-zone]");
    if (!button) return;
    const field = document.querySelector(button.dataset.browserZone);
    field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
    field.focus();
  });

  document.addEventListener("htmx:after:swap", refresh);
  document.addEventListener("visibilitychange", refresh);
  refresh();
  setInterval(refresh, REFRESH_MS);
  window.greenroomTimes = { relativeText };
})();
