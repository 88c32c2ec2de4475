// Keys of lists and forms beside those of app.js, and the help that lists what works on the page.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);

  // A Mac's keyboard says ⌘ for what others call Ctrl.
  function nameKeys() {
    if (IS_MAC) $$("[data-mod-key]").forEach((key) => (key.textContent = key.textContent.replace("Ctrl", "⌘").replace("⌘ K", "⌘K")));
  }

  function showWhatWorks(help) {
    $$("[data-needs]", help).forEach((part) => (part.hidden = !$(part.dataset.needs)));
  }

  function firstRow() {
    const link = $$("main table[data-rows] tbody a[href]").find((each) => each.offsetParent !== null);
    link?.focus();
    return Boolean(link);
  }

  function inSearch(event) {
    if (event.key === "ArrowDown" && firstRow()) event.preventDefault();
    // The first Escape empties a search, as browsers have it; the next one leaves it.
    if (event.key === "Escape" && !event.target.value) event.target.blur();
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.target.matches?.("main input[type=search]")) return inSearch(event);
    const form = event.target.closest?.("form[data-guard]");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit($("[type=submit]", form));
    }
  });

  document.addEventListener("beforetoggle", (event) => {
    if (event.target.id === "keys-help" && event.newState === "open") showWhatWorks(event.target);
  }, true);

  nameKeys();
})();
