// Loaded blocking in <head>, so that the page is never painted in the wrong theme first.
(() => {
  "use strict";
  const KEY = "greenroom-theme";
  const CHOICES = ["auto", "light", "dark"];
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      const stored = localStorage.getItem(KEY);
      return CHOICES.includes(stored) ? stored : "auto";
    } catch {
      return "auto"; // Storage can be blocked by the browser's privacy settings.
    }
  }

  function apply(picked) {
    const dark = picked === "dark" || (picked === "auto" && prefersDark.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
    root.dataset.themeChoice = picked;
    root.classList.toggle("dark-mode", dark); // Swagger UI reads this class.
  }

  function next() {
    const picked = CHOICES[(CHOICES.indexOf(root.dataset.themeChoice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, picked);
    } catch {
      // The choice then lasts for this page only.
    }
    apply(picked);
    return picked;
  }

  root.dataset.js = "on";
  apply(choice());
  prefersDark.addEventListener("change", () => apply(root.dataset.themeChoice));
  addEventListener("storage", (event) => event.key === KEY && apply(choice()));
  // Paper is white: what is printed is always light.
  addEventListener("beforeprint", () => (root.dataset.bsTheme = "light"));
  addEventListener("afterprint", () => apply(root.dataset.themeChoice));
  window.greenroomTheme = { next };
})();
