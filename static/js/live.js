// Live pages: one socket a page tells what changed, and htmx fetches the fragments that show it.
//
// <section id="runs" data-live-room="executions" hx-get="/runs" hx-trigger="live" hx-target="this">
// data-live-room   the rooms whose events mean that this element is out of date, space separated;
//                  "agents executions/10" fetches for runs only every ten seconds, else every one
// data-live-on     only these events of theirs (default: all)
// data-live-first  fetch once when the socket opens: for what would stay wrong for long otherwise
(() => {
  "use strict";
  const { _ } = window.greenroomTexts;
  const PATH = "/api/v1/ws/";
  const TOGETHER_MS = 200; // What happens at once is fetched once; the same again is random.
  const PING_MS = 25000;
  const PONG_MS = 10000;
  const POLL_MS = 15000; // While there is no socket.
  const HIDDEN_MS = 10000;
  const SHOW_LOSS_MS = 3000;
  const LONGEST_WAIT_MS = 30000;
  const RESTART = 1012;
  const STEADY_MS = 10000;

  let socket = null;
  let asked = new Set(); // Rooms of this socket, joined or being joined.
  let attempts = 0;
  let missed = false; // Whether something may have happened while nobody listened.
  let over = false; // Signed out: nothing is fetched any more.
  const timers = {};
  const fetches = new Map(); // By the element's id, because swaps replace the element itself.

  const declared = () => [...document.querySelectorAll("[data-live-room]")];
  // Seconds between fetches, by room.
  const roomsOf = (element) => {
    const named = element.dataset.liveRoom.split(" ").filter(Boolean);
    return new Map(named.map((each) => each.split("/")).map(([room, every = 1]) => [room, Number(every)]));
  };
  const wanted = () => new Set(declared().flatMap((element) => [...roomsOf(element).keys()]));

  function stop(...names) {
    names.forEach((name) => {
      clearTimeout(timers[name]);
      timers[name] = 0;
    });
  }

  function later(name, act, ms) {
    stop(name);
    timers[name] = setTimeout(act, ms);
  }

  // --- Fetching ----------------------------------------------------------------------------
  function fetchSoon(element, every = 1) {
    const now = performance.now();
    const known = fetches.get(element.id) ?? { at: -Infinity, due: Infinity, timer: 0 };
    fetches.set(element.id, known);
    const due = Math.max(now + TOGETHER_MS * (1 + Math.random()), known.at + 1000 * every);
    if (over || known.due <= due) return;
    clearTimeout(known.timer);
    known.due = due;
    known.timer = setTimeout(() => {
      [known.at, known.due] = [performance.now(), Infinity];
      document.getElementById(element.id)?.dispatchEvent(new CustomEvent("live"));
    }, due - now);
  }

  const fetchAll = () => declared().forEach((element) => fetchSoon(element));

  function tell(message) {
    declared().forEach((element) => {
      const { liveOn } = element.dataset;
      const means = !liveOn || liveOn.split(" ").includes(message.event);
      const every = roomsOf(element).get(message.room);
      if (means && every !== undefined) fetchSoon(element, every);
    });
  }

  function poll() {
    if (socket?.readyState !== WebSocket.OPEN && !document.hidden && !over) fetchAll();
    later("poll", poll, POLL_MS * (0.9 + Math.random() / 5));
  }

  // --- Showing how it goes -----------------------------------------------------------------
  function show(state, text, title) {
    const place = document.getElementById("live-state");
    if (!place) return;
    place.hidden = !declared().length;
    place.dataset.state = state;
    place.title = title;
    place.querySelector("[data-live-text]").textContent = text;
  }

  function showLive() {
    stop("loss");
    show("live", _("Live"), _("Changes appear on this page as they happen"));
  }

  // Counted from the first failure, however many follow; short ones are not worth a word.
  function lossBegins() {
    const text = _("The page looks for changes now and then");
    timers.loss ||= setTimeout(() => show("lost", _("Reconnecting…"), text), SHOW_LOSS_MS);
  }

  function signedOut() {
    over = true;
    hangUp();
    stop("loss");
    show("over", _("Signed out"), _("Load the page again to sign in"));
    document.getElementById("live-state").href = location.href;
  }

  // --- The socket --------------------------------------------------------------------------
  function address(room) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    return `${scheme}://${location.host}${PATH}${encodeURIComponent(room)}`;
  }

  function open() {
    const [first] = wanted();
    if (socket || over || document.hidden || first === undefined) return;
    stop("retry");
    const opening = new WebSocket(address(first));
    socket = opening;
    asked = new Set([first]);
    opening.onmessage = (event) => socket === opening && heard(JSON.parse(event.data), first);
    opening.onclose = (event) => socket === opening && lost(event.code);
  }

  function say(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function heard(message, first) {
    stop("pong");
    if (message.type === "joined" && message.room === first) opened();
    if (message.type === "event") tell(message);
    if (message.type === "resync") fetchAll();
  }

  function opened() {
    showLive();
    joinAndLeave();
    ping();
    later("steady", () => (attempts = 0), STEADY_MS);
    if (missed) fetchAll();
    else declared().forEach((element) => "liveFirst" in element.dataset && fetchSoon(element));
    missed = false;
  }

  // A connection that is dead without a word, as after sleep, is found by the missing answer.
  function ping() {
    later("ping", () => {
      say({ type: "ping" });
      later("pong", () => socket && (hangUp(), lost()), PONG_MS);
      ping();
    }, PING_MS);
  }

  function joinAndLeave() {
    const now = wanted();
    now.forEach((room) => asked.has(room) || say({ type: "join", room }));
    asked.forEach((room) => now.has(room) || say({ type: "leave", room }));
    asked = now;
    if (now.size) return;
    hangUp();
    stop("loss");
    document.getElementById("live-state").hidden = true;
  }

  function hangUp() {
    const closing = socket;
    socket = null;
    missed = true;
    stop("ping", "pong", "steady", "retry");
    closing?.close();
  }

  function lost(code) {
    hangUp();
    if (document.hidden || over) return;
    lossBegins();
    // Everyone comes back after a restart: not all in the same moment.
    const longest = code === RESTART ? 4000 : Math.min(LONGEST_WAIT_MS, 1000 * 2 ** attempts);
    attempts += 1;
    later("retry", open, longest * (0.5 + Math.random() / 2));
    // Whether the login is over is what the next fetch says, not the socket.
    if (code > 4000) fetchAll();
  }

  function look() {
    if (!socket) open();
    else if (socket.readyState === WebSocket.OPEN) joinAndLeave();
  }

  // --- Events of the page ------------------------------------------------------------------
  const isOurs = (event) => event.detail.ctx?.sourceEvent?.type === "live";

  document.addEventListener("htmx:config:request", (event) => {
    // Watching does not keep the session from going idle.
    if (isOurs(event)) event.detail.ctx.request.headers["X-Background"] = "true";
  });

  document.addEventListener("htmx:before:response", (event) => {
    if (!isOurs(event) || event.detail.ctx.response.status < 400) return;
    event.preventDefault(); // What is shown stays; nobody asked for an error message.
    if (event.detail.ctx.response.status === 401) signedOut();
  });

  document.addEventListener("htmx:error", (event) => isOurs(event) && event.stopImmediatePropagation(), true);

  document.addEventListener("htmx:after:swap", look);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      later("hidden", hangUp, HIDDEN_MS);
      return;
    }
    stop("hidden");
    if (!socket) comeBack();
  });

  function comeBack() {
    if (over) return;
    lossBegins();
    [attempts, missed] = [0, true];
    open();
  }

  addEventListener("online", () => !socket && comeBack());
  addEventListener("pagehide", hangUp);
  addEventListener("pageshow", (event) => event.persisted && comeBack());

  if (declared().length) lossBegins();
  open();
  later("poll", poll, POLL_MS);
})();
