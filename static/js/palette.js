// The palette: jump to a page, an action or a row from anywhere. The server says what there is;
// the places that this person was at last are kept in this browser, until they sign out.
(() => {
  "use strict";
  const { _ } = window.greenroomTexts;
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = document.getElementById("palette-q");
  const list = document.getElementById("palette-list");
  const RECENT = `greenroom-recent:${dialog.dataset.owner}`;
  const KEPT = 6;
  // Pages of one row, whose titles say which.
  const ROW = /^\/(agents|tools|executions|jobs|users|keys|webhooks)\/\d+$/;
  const ICONS = { agents: "robot", tools: "tool", executions: "activity", jobs: "list-check", users: "user", keys: "key", webhooks: "webhook" };
  let loaded = null; // What the options shown are for.
  let awaited = null; // Enter was pressed before they were here.

  // --- Where one was -----------------------------------------------------------------------
  function recent() {
    try {
      const kept = JSON.parse(localStorage.getItem(RECENT));
      return Array.isArray(kept) ? kept.filter((each) => ROW.test(each.path) && typeof each.title === "string") : [];
    } catch {
      return []; // Storage can be blocked by the browser's privacy settings.
    }
  }

  function remember() {
    const { pathname: path } = location;
    if (!ROW.test(path)) return;
    const title = document.title.replace(/ · Greenroom$/, "");
    const others = recent().filter((each) => each.path !== path);
    try {
      localStorage.setItem(RECENT, JSON.stringify([{ path, title }, ...others].slice(0, KEPT)));
    } catch {
      // The list then ends with this page.
    }
  }

  function optionOf({ path, title }, index) {
    const link = document.createElement("a");
    link.href = path;
    link.id = `palette-r${index}`;
    link.role = "option";
    link.tabIndex = -1;
    const icon = document.createElement("i");
    icon.className = `ti ti-${ICONS[path.split("/")[1]]}`;
    icon.ariaHidden = "true";
    const label = document.createElement("span");
    label.className = "palette-label";
    label.textContent = title;
    link.append(icon, label);
    return link;
  }

  function showRecent() {
    const places = recent().filter((each) => each.path !== location.pathname);
    if (!places.length) return;
    const group = document.createElement("div");
    group.className = "palette-group";
    group.role = "group";
    group.ariaLabel = _("Recently visited");
    const title = document.createElement("div");
    title.className = "palette-title";
    title.textContent = group.ariaLabel;
    group.append(title, ...places.map(optionOf));
    list.prepend(group);
  }

  // --- Choosing ----------------------------------------------------------------------------
  const options = () => [...list.querySelectorAll("[role=option]")];
  const chosen = () => list.querySelector("[aria-selected=true]");

  function choose(option) {
    chosen()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function move(step) {
    const all = options();
    if (all.length) choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
  }

  const ACTS = {
    theme: () => document.querySelector("[data-theme-toggle]")?.click(),
    keys: () => document.getElementById("keys-help")?.showModal(),
    "sign-out": () => document.querySelector("form[action='/logout']")?.requestSubmit(),
  };

  function take(option, apart) {
    if (!option) return;
    if (option.dataset.act) {
      dialog.close();
      ACTS[option.dataset.act]();
    } else if (apart) window.open(option.href, "_blank", "noopener");
    else location.assign(option.href);
  }

  // What was typed last may still be on its way; Enter waits for it.
  function enter(apart) {
    if (loaded === input.value.trim()) take(chosen(), apart);
    else awaited = { apart };
  }

  const KEYS = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: (event) => enter(event.ctrlKey || event.metaKey),
  };

  input.addEventListener("keydown", (event) => {
    if (event.isComposing || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key](event);
  });

  input.addEventListener("input", () => (awaited = null));

  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option?.dataset.act) take(option);
  });

  // --- Opening -----------------------------------------------------------------------------
  function open() {
    if (dialog.open || document.querySelector("dialog[open]")) return;
    dialog.showModal(); // Closing it gives the focus back to where it was.
    input.value = "";
    loaded = awaited = null;
    input.dispatchEvent(new CustomEvent("palette"));
  }

  document.addEventListener("palette:open", open);

  document.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // Beside the box.
    const box = event.target.closest("[data-palette-open]");
    if (!box) return;
    event.preventDefault();
    open();
  });

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target !== list) return;
    loaded = new URL(event.detail.ctx.request.action, location.href).searchParams.get("q") ?? input.value;
    loaded = loaded.trim();
    if (!loaded) showRecent();
    choose(options()[0]);
    if (!awaited || loaded !== input.value.trim()) return;
    take(chosen(), awaited.apart);
    awaited = null;
  });

  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[action='/logout']")) localStorage.removeItem(RECENT);
  });

  remember();
})();
