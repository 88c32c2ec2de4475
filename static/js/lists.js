// Lists: menus of filters find their choices as one types, stay on the screen, and send nothing
// that is empty. Without this script the same forms work, with plainer addresses for it.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const MARGIN = 8;

  function narrow(input) {
    const typed = input.value.trim().toLowerCase();
    const choices = $$("[data-choice]", $(input.dataset.findChoice));
    choices.forEach((each) => (each.hidden = !each.textContent.toLowerCase().includes(typed)));
  }

  // The one choice that is left is what Enter means.
  function takeTheOne(event) {
    const { target: input, key } = event;
    const menu = key === "Enter" && input.matches?.("[data-find-choice], [data-finds]") && input.closest(".menu-body");
    if (!menu) return;
    const left = $$("[data-choice]", menu).filter((each) => !each.hidden);
    if (left.length !== 1) return event.preventDefault();
    const box = $("input", left[0]);
    if (box) box.checked = true;
    else {
      event.preventDefault();
      left[0].click();
    }
  }

  function keepOnScreen(menu) {
    const body = $(".menu-body", menu);
    if (!menu.open || !body) return;
    body.classList.remove("end");
    if (body.getBoundingClientRect().right > document.documentElement.clientWidth - MARGIN) body.classList.add("end");
    const field = menu.closest("#chips") && matchMedia("(pointer: fine)").matches && $("input:not([type=hidden]):not([disabled]), select", body);
    if (field) field.focus();
  }

  function leaveOutEmpty(form) {
    // What was typed to find a choice is no filter of its own here; without a script it is.
    const empty = $$("input, select", form).filter((each) => each.name && (each.value === "" || each.matches("[data-finds]")));
    empty.forEach((each) => (each.disabled = true));
    setTimeout(() => empty.forEach((each) => (each.disabled = false)));
  }

  document.addEventListener("input", (event) => event.target.matches("[data-find-choice]") && narrow(event.target));
  document.addEventListener("keydown", takeTheOne);
  document.addEventListener("toggle", (event) => event.target.matches("details.menu") && keepOnScreen(event.target), true);
  document.addEventListener("submit", (event) => event.target.matches("form[data-filter]") && leaveOutEmpty(event.target));
})();
