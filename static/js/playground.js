// The playground: each side is asked by a request of its own, and shown while its answer comes.
// Without this script the same form waits and shows what came of it.
(() => {
  "use strict";
  const { _ } = window.greenroomTexts;
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const EVENTS = "text/event-stream";
  const running = new Map(); // By side: the run that is watched.

  const form = () => $("#playground");
  const place = (side) => $(`[data-outcome="${side}"]`);

  function announce(text) {
    const live = $("#live");
    if (live) live.textContent = text;
  }

  function element(tag, className, text = "") {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function icon(name, extra = "") {
    const made = element("i", `ti ti-${name} ${extra}`);
    made.ariaHidden = "true";
    return made;
  }

  // --- What is running ---------------------------------------------------------------------
  function showRunning() {
    const stop = $("[data-stop]");
    const run = $("[data-run]");
    if (stop) stop.hidden = running.size === 0;
    if (run) run.setAttribute("aria-disabled", String(running.size > 0));
  }

  function stop(watched) {
    if (watched.id === null) watched.abort.abort();
    else fetch(`/executions/${watched.id}/cancel`, { method: "POST", redirect: "manual" });
  }

  const stopAll = () => [...running.values()].forEach(stop);

  // A panel that fills while the answer comes; the server's own fragment takes its place.
  class Panel {
    constructor(side) {
      this.box = element("section", "panel outcome");
      this.box.setAttribute("aria-busy", "true");
      const header = element("header", "");
      const state = element("span", "st run");
      state.append(icon("loader", "spin"), _("Running"));
      this.clock = element("span", "muted num");
      const button = element("button", "b small", _("Stop"));
      button.type = "button";
      button.dataset.stopSide = side;
      header.append(state, this.clock, element("span", "grow"), button);
      this.body = element("div", "pad");
      this.box.append(header, this.body);
      this.text = null;
      place(side).replaceChildren(this.box);
      if (this.box.getBoundingClientRect().top > innerHeight - 120) this.box.scrollIntoView({ block: "center" });
      this.since = performance.now();
      this.timer = setInterval(() => this.tick(), 100);
      this.tick();
    }

    tick() {
      this.clock.textContent = `${((performance.now() - this.since) / 1000).toFixed(1)} s`;
    }

    say(text) {
      if (!this.text) {
        const message = element("div", "msg");
        const who = element("div", "who");
        who.append(element("span", "", _("Assistant")), element("span", ""));
        this.text = element("div", "text streaming");
        message.append(who, this.text);
        this.body.append(message);
      }
      this.text.append(text);
    }

    call({ name, arguments: given }) {
      this.text?.classList.remove("streaming");
      this.text = null;
      const message = element("div", "msg call");
      const who = element("div", "who");
      who.append(element("span", "", _("Tool call · %(name)s", { name })), element("span", ""));
      message.append(who, element("pre", "", given));
      this.body.append(message);
    }

    fail(text) {
      this.end();
      const note = element("div", "note bad", text);
      note.setAttribute("role", "alert");
      this.body.append(note);
    }

    end() {
      clearInterval(this.timer);
      this.text?.classList.remove("streaming");
      this.box.setAttribute("aria-busy", "false");
    }
  }

  // --- Reading a run -----------------------------------------------------------------------
  async function* eventsOf(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const [name, data] = block.split("\n", 2);
        yield { name: name.slice("event: ".length), data: JSON.parse(data.slice("data: ".length)) };
      }
    }
  }

  // True when the run was watched to its end; else the answer, which is a page.
  async function watch(side, url, body) {
    const watched = { id: null, abort: new AbortController() };
    running.set(side, watched);
    showRunning();
    const panel = new Panel(side);
    try {
      const response = await fetch(url, {
        method: "POST", body, headers: { Accept: EVENTS }, signal: watched.abort.signal,
      });
      if (!response.headers.get("Content-Type")?.startsWith(EVENTS)) {
        panel.end();
        return response;
      }
      watched.id = response.headers.get("Location").split("/").pop();
      for await (const { name, data } of eventsOf(response)) {
        if (name === "delta") panel.say(data.text);
        if (name === "tool_call") panel.call(data);
      }
      await showOutcome(side, watched.id);
    } catch (error) {
      if (watched.id) await showOutcome(side, watched.id).catch(() => panel.fail(_("The connection was lost. The run has ended with it.")));
      else panel.fail(error.name === "AbortError" ? _("Stopped before it began.") : _("The server could not be reached."));
    } finally {
      panel.end();
      running.delete(side);
      showRunning();
    }
    return true;
  }

  async function showOutcome(side, id) {
    const response = await fetch(`${form().getAttribute("action")}/runs/${id}`);
    if (!response.ok) throw new Error(response.status);
    const holder = document.createElement("div");
    holder.innerHTML = await response.text();
    const made = holder.firstElementChild;
    place(side).replaceChildren(made);
    window.htmx?.process?.(made);
    const label = place(side).dataset.label;
    announce(`${label}: ${$(".st", made)?.textContent.trim() ?? _("done")}`);
    rememberRuns();
  }

  // The address shows what is shown, so that it can be reloaded and sent to others.
  function rememberRuns() {
    const ids = $$("[data-outcome] [data-execution]").map((each) => `run=${each.dataset.execution}`);
    history.replaceState(history.state, "", ids.length ? `?${ids.join("&")}` : location.pathname);
  }

  // --- Drawing the form anew ---------------------------------------------------------------
  async function redraw(response) {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const drawn = $$("[data-redraw]", page);
    if (!drawn.length) return location.assign(response.url); // Signed out, or worse.
    const focused = document.activeElement?.id;
    const isTwo = $("#play", page).classList.contains("two");
    if (isTwo !== $("#play").classList.contains("two")) {
      const answered = new Map($$("[data-outcome]").map((each) => [each.dataset.outcome, [...each.childNodes]]));
      $("#play").replaceWith($("#play", page));
      answered.forEach((nodes, side) => place(side)?.replaceChildren(...nodes));
    } else {
      drawn.forEach((each) => document.getElementById(each.id)?.replaceWith(each));
    }
    showRunning();
    const target = $(".note.bad, [aria-invalid=true]", form()) ?? document.getElementById(focused);
    target?.scrollIntoView?.({ block: "nearest" });
    if (target?.matches("input, textarea, select, button")) target.focus();
  }

  async function ask(change) {
    const body = new FormData(form());
    body.set("redraw", change);
    const response = await fetch(form().action, { method: "POST", body });
    await redraw(response);
    if (change === "message") $$("textarea[name=content]", form()).pop()?.focus();
  }

  async function run() {
    if (running.size) return;
    const sides = $$("[data-side]", form()).map((each) => each.dataset.side);
    const before = new Map(sides.map((side) => [side, [...place(side).childNodes]]));
    const answers = await Promise.all(sides.map((side) => {
      const body = new FormData(form());
      body.set("side", side);
      return watch(side, form().action, body);
    }));
    const refused = answers.find((answer) => answer !== true);
    if (!refused) return;
    before.forEach((nodes, side) => place(side).replaceChildren(...nodes));
    await redraw(refused);
  }

  // --- Variables that an edited prompt asks for --------------------------------------------
  const VARIABLE = /\{\{\s*([A-Za-z_]\w{0,99})\s*\}\}/g;

  function offerVariables() {
    const texts = $$("textarea[name$='.system_prompt']", form()).map((each) => each.value).join("\n");
    const wanted = new Set([...texts.matchAll(VARIABLE)].map((found) => found[1]));
    const box = $("[data-variables]", form());
    $$("input", box).forEach((input) => {
      const name = input.name.slice("variable.".length);
      if (!wanted.delete(name)) input.closest(".form-row").remove();
    });
    wanted.forEach((name) => {
      const row = element("div", "form-row");
      const label = element("label", "", name);
      const input = element("input", "control");
      input.id = label.htmlFor = `f-variable.${name}`;
      input.name = `variable.${name}`;
      input.autocomplete = "off";
      row.append(label, input);
      box.append(row);
    });
  }

  // --- Events ------------------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    const { target, submitter } = event;
    if (target.matches("[data-playground]")) {
      event.preventDefault();
      if (submitter?.name === "redraw") ask(submitter.value);
      else run();
    } else if (target.matches("[data-answer-calls]") && !submitter?.matches("[data-plain]")) {
      event.preventDefault();
      const side = target.closest("[data-outcome]").dataset.outcome;
      watch(side, target.action, new FormData(target, submitter)).then((answer) => {
        if (answer !== true) location.assign(answer.url);
      });
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("select[name$='.revision']")) ask(event.target.name);
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches("textarea[name$='.system_prompt']")) offerVariables();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-stop]")) stopAll();
    const side = event.target.closest("[data-stop-side]")?.dataset.stopSide;
    if (side && running.has(side)) stop(running.get(side));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    if (!event.target.closest("[data-playground]")) return;
    event.preventDefault();
    run();
  });
})();
