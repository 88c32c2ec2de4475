// Behaviour of every staff page, bound once on the document through data- attributes,
// so that markup swapped in by htmx needs no set-up of its own.
(() => {
  "use strict";
  const { _ } = window.greenroomTexts;
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  function announce(text) {
    const live = $("#live");
    if (!live) return;
    live.textContent = "";
    setTimeout(() => (live.textContent = text), 50); // An unchanged text would not be read again.
  }

  // --- Theme -------------------------------------------------------------------------------
  const THEMES = { auto: _("Theme: auto"), light: _("Theme: light"), dark: _("Theme: dark") };

  function labelThemeToggles() {
    const label = THEMES[document.documentElement.dataset.themeChoice];
    $$("[data-theme-toggle]").forEach((button) => {
      button.setAttribute("aria-label", label);
      button.title = label;
    });
  }

  function changeTheme() {
    const picked = window.greenroomTheme.next();
    labelThemeToggles();
    announce(THEMES[picked]);
  }

  // --- Toasts ------------------------------------------------------------------------------
  const TOAST_MS = 10000;
  const ICONS = { ok: "circle-check", bad: "alert-circle", warn: "alert-triangle", info: "info-circle" };

  function armToast(toast) {
    if (toast.dataset.armed) return;
    toast.dataset.armed = "yes";
    announce($("[data-toast-text]", toast)?.textContent ?? toast.textContent.trim());
    if (toast.classList.contains("bad")) return; // A fault stays until somebody has read it.
    let timer;
    const start = () => {
      clearTimeout(timer);
      timer = setTimeout(() => toast.remove(), TOAST_MS);
    };
    const pause = () => clearTimeout(timer);
    toast.addEventListener("pointerenter", pause);
    toast.addEventListener("pointerleave", start);
    toast.addEventListener("focusin", pause);
    toast.addEventListener("focusout", start);
    start();
  }

  function toast(level, text) {
    const box = $("#toasts");
    if (!box) return;
    const card = document.createElement("div");
    card.className = `toast-card ${level}`;
    card.dataset.toast = "";
    const icon = document.createElement("i");
    icon.className = `ti ti-${ICONS[level] ?? ICONS.info}`;
    icon.ariaHidden = "true";
    const message = document.createElement("span");
    message.className = "grow";
    message.dataset.toastText = "";
    message.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "icon-button";
    close.dataset.toastClose = "";
    close.ariaLabel = _("Dismiss");
    close.innerHTML = '<i class="ti ti-x" aria-hidden="true"></i>';
    card.append(icon, message, close);
    box.append(card);
  }

  function watchToasts() {
    const box = $("#toasts");
    if (!box) return;
    const armAll = () => $$("[data-toast]", box).forEach(armToast);
    new MutationObserver(armAll).observe(box, { childList: true, subtree: true });
    armAll();
  }

  // --- Copy --------------------------------------------------------------------------------
  async function copy(button) {
    const source = button.dataset.copyFrom && $(button.dataset.copyFrom);
    const text = button.dataset.copy ?? source?.value ?? source?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text); // Missing on plain http, which lands in catch too.
    } catch {
      if (source) getSelection().selectAllChildren(source);
      toast("warn", _("The browser does not allow copying here. Select the text and copy it yourself."));
      return;
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 2000);
    announce(_("Copied"));
  }

  // --- Confirmation ------------------------------------------------------------------------
  // Resolves to true only when the affirmative button was pressed; Escape counts as Cancel.
  function ask(text, { typed = "", action = _("Continue") } = {}) {
    const dialog = $("#confirm-dialog");
    if (!dialog) return Promise.resolve(window.confirm(text));
    const input = $("[data-confirm-input]", dialog);
    const confirmButton = $("[data-confirm-ok]", dialog);
    const matches = () => (confirmButton.disabled = typed !== "" && input.value !== typed);
    $("[data-confirm-text]", dialog).textContent = text;
    $("[data-confirm-typed]", dialog).hidden = typed === "";
    $("[data-confirm-name]", dialog).textContent = typed;
    confirmButton.textContent = action;
    input.value = "";
    input.oninput = matches;
    matches();
    dialog.returnValue = "cancel";
    dialog.showModal();
    (typed ? input : $("[data-confirm-cancel]", dialog)).focus();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
    });
  }

  async function confirmSubmit(form, submitter) {
    const { confirm, confirmType, confirmAction } = { ...form.dataset, ...submitter?.dataset };
    if (!(await ask(confirm, { typed: confirmType, action: confirmAction }))) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
  }

  // --- Unsaved changes ---------------------------------------------------------------------
  const dirty = new WeakSet();
  const markDirty = (event) => event.target.form?.matches("form[data-guard]") && dirty.add(event.target.form);

  // --- Tables ------------------------------------------------------------------------------
  const rowLink = (row) => $("a[href]", row);

  function moveRow(step) {
    const rows = $$("table[data-rows] tbody tr").filter((row) => rowLink(row) && row.offsetParent !== null);
    if (!rows.length) return;
    const current = rows.indexOf(document.activeElement.closest?.("tr"));
    const target = current < 0 ? (step > 0 ? 0 : rows.length - 1) : current + step;
    const row = rows[Math.min(Math.max(target, 0), rows.length - 1)];
    rowLink(row).focus();
    row.scrollIntoView({ block: "nearest" });
  }

  // The scope is the table (or the form) around the checkbox; ticked rows get the class `sel`.
  function selectionChanged(box) {
    const scope = box.closest("table") ?? box.form;
    const boxes = $$("tbody input[type=checkbox]", scope).filter((each) => !each.disabled);
    const all = $("[data-select-all]", scope);
    if (box === all) boxes.forEach((each) => (each.checked = box.checked));
    boxes.forEach((each) => each.closest("tr").classList.toggle("sel", each.checked));
    const count = boxes.filter((each) => each.checked).length;
    if (all) {
      all.checked = count > 0 && count === boxes.length;
      all.indeterminate = count > 0 && count < boxes.length;
    }
    $$("[data-selected-count]").forEach((place) => (place.textContent = count));
    $$("[data-selection-bar]").forEach((bar) => (bar.hidden = count === 0));
  }

  // --- Keyboard ----------------------------------------------------------------------------
  const GO = {
    d: "dashboard", a: "agents", t: "tools", e: "executions", i: "ingest", c: "connect", j: "jobs", p: "prices",
    u: "users", k: "keys", l: "audit", w: "webhooks", x: "trash", h: "help",
  };
  let goPressedAt = 0;

  // Only where the sidebar leads: what somebody may not see is not gone to.
  function go(key) {
    $(`.side a[data-nav="${GO[key]}"]`)?.click();
  }

  function focusKey(key) {
    // A page's own search comes before the one in the top bar.
    const field = $(`main [data-key~="${key}"]`) ?? $(`[data-key~="${key}"]`);
    field?.focus();
    field?.select?.();
    return Boolean(field);
  }

  const COMMANDS = {
    "/": () => focusKey("/"),
    f: () => focusKey("f"),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    "?": () => $("#keys-help")?.showModal(),
    g: () => (goPressedAt = Date.now()),
  };

  function closeMenus(except) {
    $$("details.menu[open]").forEach((menu) => menu !== except && (menu.open = false));
  }

  function leaveMenu(event) {
    const menu = event.target.closest?.("details.menu[open]");
    closeMenus();
    $("summary", menu ?? document.createElement("div"))?.focus();
  }

  function keydown(event) {
    if (event.key === "Escape") return leaveMenu(event);
    if ((event.metaKey || event.ctrlKey) && event.key === "k") {
      event.preventDefault();
      return document.dispatchEvent(new CustomEvent("palette:open"));
    }
    const typing = event.target.closest?.("input:not([type=checkbox],[type=radio]), textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("dialog[open]")) return;
    const going = Date.now() - goPressedAt < 1500;
    goPressedAt = 0;
    const command = going && GO[event.key] ? () => go(event.key) : COMMANDS[event.key];
    if (!command) return;
    event.preventDefault();
    command();
  }

  // --- Events ------------------------------------------------------------------------------
  const CLICKS = [
    ["[data-theme-toggle]", changeTheme],
    ["[data-copy], [data-copy-from]", copy],
    ["[data-back]", () => history.back()],
    ["[data-toast-close]", (button) => button.closest("[data-toast]").remove()],
    ["[data-dialog-open]", (button) => $(button.dataset.dialogOpen)?.showModal()],
    ["[data-dialog-close]", (button) => button.closest("dialog").close()],
  ];

  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.menu"));
    for (const [selector, act] of CLICKS) {
      const button = event.target.closest(selector);
      if (button) act(button);
    }
  });

  document.addEventListener("input", markDirty);

  document.addEventListener("change", (event) => {
    markDirty(event);
    if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
    if (event.target.matches("table input[type=checkbox]")) selectionChanged(event.target);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asks = form.dataset.confirm ?? event.submitter?.dataset.confirm;
    if (asks && !form.dataset.confirmed) {
      event.preventDefault();
      event.stopImmediatePropagation();
      confirmSubmit(form, event.submitter);
      return;
    }
    delete form.dataset.confirmed;
    dirty.delete(form);
  }, true);

  document.addEventListener("keydown", keydown);

  addEventListener("beforeunload", (event) => {
    if ($$("form[data-guard]").some((form) => dirty.has(form))) event.preventDefault();
  });

  // htmx leaves the element's queue stuck for good unless one of the two answers is given.
  document.addEventListener("htmx:confirm", async (event) => {
    event.preventDefault();
    const { ctx, issueRequest, dropRequest } = event.detail;
    const { confirmType, confirmAction } = ctx.sourceElement.dataset;
    const agreed = await ask(ctx.confirm, { typed: confirmType, action: confirmAction });
    if (agreed) issueRequest();
    else dropRequest();
  });

  document.addEventListener("htmx:response:error", (event) => {
    const response = event.detail.ctx?.response;
    if ([401, 422].includes(response?.status)) return; // A redirect or the form itself answers these.
    const requestId = response?.headers?.get?.("X-Correlation-ID");
    const said = response?.status ? _("The server answered %(status)s.", { status: response.status }) : _("The server answered with an error.");
    toast("bad", requestId ? `${said} ${_("Request %(id)s.", { id: requestId })}` : said);
  });

  document.addEventListener("htmx:error", (event) => {
    if (event.detail.error?.name === "AbortError") return; // A newer request took its place.
    toast("bad", _("The server could not be reached, or its answer could not be shown."));
  });

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target?.id === "dialog-body") $("#dialog")?.showModal();
  });

  document.addEventListener("dialog:close", () => $("#dialog")?.close());

  // On a narrow screen the tabs scroll sideways, and the one that is open may be the last.
  function showCurrentTab() {
    $$(".tabs [aria-current]").forEach((tab) => {
      const bar = tab.parentElement;
      bar.scrollLeft = tab.offsetLeft - bar.offsetLeft - (bar.clientWidth - tab.offsetWidth) / 2;
    });
  }

  // What was made is shown once. To load the page again would send its form again, and make another.
  const made = $("[data-own-address]");
  if (made) history.replaceState(history.state, "", made.dataset.ownAddress);

  // Select2 copies the title to its own combobox, which would have no accessible name otherwise.
  $$("select[multiple]").forEach((select) => (select.title ||= select.labels[0]?.textContent.trim() ?? ""));
  labelThemeToggles();
  watchToasts();
  showCurrentTab();
  // Where it stands is known for good once the font is there, and anew when the screen is turned.
  document.fonts.ready.then(showCurrentTab);
  matchMedia("(max-width: 760px)").addEventListener("change", showCurrentTab);
  $$("table[data-rows] tbody input:checked").slice(0, 1).forEach(selectionChanged);
})();
