// What scripts say, in the language of the page, as gettext has it:
//
// _("Request %(id)s.", { id })   ngettext("%(num)s run", "%(num)s runs", count)
//
// English stands in the scripts; pages in other languages bring translations in #texts.
(() => {
  "use strict";
  const { texts = {}, plurals = "" } = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

  function format(text, values) {
    return text.replace(/%\((\w+)\)s|%%/g, (found, name) => (name ? values[name] : "%"));
  }

  function _(message, values = {}) {
    return format(texts[message] ?? message, values);
  }

  function ngettext(one, many, num, values = {}) {
    // Which form a language takes depends on the last two digits, and on small numbers themselves.
    const form = texts[one]?.[plurals[num < 200 ? num : 100 + (num % 100)]];
    return format(form ?? (num === 1 ? one : many), { num: num.toLocaleString("en"), ...values });
  }

  window.greenroomTexts = { _, ngettext };
})();
