// What is typed into a form and not saved yet is kept in this browser, and offered back.
//
// <form data-draft="agent:7">     the name of what is kept; its row_version is kept with it
// <form data-draft-of="agent:7">  saving this one settles that draft too
// data-draft-discard="agent:7"    a link that gives the draft up
// data-draft-redraw="restore"     the form grows: the server draws it again with what was kept
// data-draft-kept                 what is said of one that is kept
//
// Secrets are never kept: no field of type password, none inside [data-secret].
(() => {
  "use strict";
  const { _ } = window.greenroomTexts;
  const OWNER = document.getElementById("palette")?.dataset.owner ?? "";
  const PREFIX = "greenroom-draft:";
  const SENT = `${PREFIX}sent`; // In this tab: what was sent and whose answer is not here yet.
  const DAYS_KEPT = 14;
  const MAX_LENGTH = 400_000;
  const WAIT_MS = 400;
  const SAVED = ["created", "saved", "unchanged"];
  const timers = new WeakMap();
  const offered = new WeakSet(); // Forms beside which an older draft waits for an answer.

  const keyOf = (name) => `${PREFIX}${OWNER}:${name}`;

  // --- Storage, which privacy settings can block or fill ------------------------------------
  function read(name) {
    try {
      const draft = JSON.parse(localStorage.getItem(keyOf(name)));
      return draft && Array.isArray(draft.values) ? draft : null;
    } catch {
      return null;
    }
  }

  function attempt(act) {
    try {
      act();
      return true;
    } catch {
      return false;
    }
  }

  const forget = (name) => attempt(() => localStorage.removeItem(keyOf(name)));

  function keys() {
    let found = [];
    attempt(() => (found = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))));
    return found;
  }

  function forgetOld() {
    const since = Date.now() - DAYS_KEPT * 86_400_000;
    keys().forEach((key) => attempt(() => {
      if (!(JSON.parse(localStorage.getItem(key))?.at > since)) localStorage.removeItem(key);
    }));
  }

  // --- Values of a form --------------------------------------------------------------------
  function fields(form) {
    return [...form.elements].filter((field) =>
      field.name && field.name !== "row_version" && !field.matches("button, fieldset, [type=password]") && !field.closest("[data-secret]") &&
      (form.dataset.draftRedraw || field.type !== "hidden"));
  }

  const ticks = (field) => field.matches("[type=checkbox], [type=radio]");

  // [name, value, ticked] of each field in order.
  const valuesOf = (form) => fields(form).map((field) => [field.name, field.value, ticks(field) ? field.checked : null]);

  const versionOf = (form) => form.elements.row_version?.value ?? "";

  function fill(form, values) {
    const kept = new Map(values.map(([name, value, ticked]) => [ticked === null ? name : `${name}=${value}`, ticked ?? value]));
    fields(form).forEach((field) => {
      const value = kept.get(ticks(field) ? `${field.name}=${field.value}` : field.name);
      if (value === undefined) return;
      if (ticks(field)) field.checked = value;
      else field.value = value;
    });
    // Whatever watches a field hears of it.
    fields(form).forEach((field) => field.dispatchEvent(new Event("input", { bubbles: true })));
  }

  // --- Keeping -----------------------------------------------------------------------------
  function say(form, text) {
    let place = form.querySelector("[data-draft-state]");
    if (!place) {
      place = document.createElement("span");
      place.className = "draft-kept";
      place.dataset.draftState = "";
      form.querySelector(".actions")?.append(place);
    }
    place.textContent = text;
  }

  function keep(form) {
    clearTimeout(timers.get(form));
    timers.delete(form);
    const values = valuesOf(form);
    const draft = JSON.stringify({ at: Date.now(), version: versionOf(form), values });
    if (draft.length > MAX_LENGTH) return;
    if (JSON.stringify(values) === form.dataset.draftStart) {
      forget(form.dataset.draft);
      return say(form, "");
    }
    if (attempt(() => localStorage.setItem(keyOf(form.dataset.draft), draft))) say(form, form.dataset.draftKept ?? _("Kept in this browser until you save"));
  }

  function keepSoon(form) {
    clearTimeout(timers.get(form));
    timers.set(form, setTimeout(() => keep(form), WAIT_MS));
  }

  // --- Offering back -----------------------------------------------------------------------
  function offerText(form, draft) {
    const ago = window.greenroomTimes.relativeText((Date.now() - draft.at) / 1000);
    if (form.dataset.draftRedraw) return _("You tried something out here %(ago)s.", { ago });
    const offered = _("You have unsaved changes from %(ago)s.", { ago });
    if (!draft.version || draft.version === versionOf(form)) return offered;
    return `${offered} ${_("It was saved by someone since: what that changed is shown to you before yours replaces it.")}`;
  }

  function button(text, kind, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = `b small ${kind}`;
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  }

  function settle(form, note) {
    offered.delete(form);
    note.remove();
    form.querySelector("input:not([type=hidden]), textarea")?.focus();
  }

  function redraw(form, draft) {
    const sent = document.createElement("form");
    Object.assign(sent, { method: "post", action: form.action, hidden: true });
    const given = draft.values.filter(([, , ticked]) => ticked !== false);
    [...given, ["redraw", form.dataset.draftRedraw]].forEach(([name, value]) => {
      sent.append(Object.assign(document.createElement("textarea"), { name, value }));
    });
    document.body.append(sent);
    sent.submit();
  }

  function restore(form, draft, note) {
    if (form.dataset.draftRedraw) return redraw(form, draft);
    // The version that it began with: whatever was saved since is shown before it is overwritten.
    if (draft.version && form.elements.row_version) form.elements.row_version.value = draft.version;
    settle(form, note);
    fill(form, draft.values);
  }

  function offer(form, draft) {
    const note = document.createElement("div");
    note.className = "note warn draft";
    note.role = "status";
    const text = document.createElement("span");
    text.textContent = offerText(form, draft);
    const discard = () => {
      forget(form.dataset.draft);
      settle(form, note);
    };
    note.append(text, button(_("Restore"), "primary", () => restore(form, draft, note)), button(_("Discard"), "", discard));
    offered.add(form);
    form.before(note);
  }

  function begin(form) {
    const shown = JSON.stringify(valuesOf(form));
    // What was sent and refused is shown as it was typed, and saved nowhere.
    const refused = form.querySelector("[aria-invalid=true], .error-summary, [role=alert]");
    form.dataset.draftStart = refused ? "" : shown;
    const draft = read(form.dataset.draft);
    if (draft && JSON.stringify(draft.values) !== shown) offer(form, draft);
  }

  // --- Settling ----------------------------------------------------------------------------
  // Only the page after a save says whether it was one.
  function settleSent() {
    let names = [];
    attempt(() => {
      names = JSON.parse(sessionStorage.getItem(SENT)) ?? [];
      sessionStorage.removeItem(SENT);
    });
    if (SAVED.includes(new URLSearchParams(location.search).get("notice"))) names.forEach(forget);
  }

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    // An older draft is not written over before it was answered.
    if (form?.matches("form[data-draft]") && !offered.has(form)) keepSoon(form);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("form[action='/logout']")) keys().forEach((key) => attempt(() => localStorage.removeItem(key)));
    const name = form.dataset.draft ?? form.dataset.draftOf;
    if (!name) return;
    if (form.dataset.draft && !offered.has(form)) keep(form);
    attempt(() => sessionStorage.setItem(SENT, JSON.stringify([name])));
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-draft-discard]");
    if (link) forget(link.dataset.draftDiscard);
  });

  // Leaving at once after the last key keeps that one too.
  addEventListener("pagehide", () => document.querySelectorAll("form[data-draft]").forEach((form) => timers.has(form) && keep(form)));

  forgetOld();
  settleSent();
  document.querySelectorAll("form[data-draft]").forEach(begin);
})();
