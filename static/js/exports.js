// Links of export menus follow the filters, which change the address without a new page.
(() => {
  "use strict";
  function follow(menu) {
    menu.querySelectorAll("a[data-export]").forEach((link) => {
      const query = new URLSearchParams(location.search);
      ["notice", "undo", "cursor"].forEach((name) => query.delete(name));
      new URLSearchParams(link.dataset.export).forEach((value, name) => query.set(name, value));
      link.search = query;
    });
  }

  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details:has(> [data-exports])")) follow(event.target);
  }, true);
  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-exports]");
    if (menu) follow(menu);
  }, true);
})();
