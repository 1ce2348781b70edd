"use strict";
// Without this script everything is shown and open; with it the page is folded, filtered, and opened where a link lands.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = document.getElementById("filters");
  const count = document.getElementById("count");
  const runs = all("details.run").map((element) => ({
    element,
    row: all("tr[data-run]").find((row) => row.dataset.run === element.id),
    entries: all(".entry", element),
  }));
  const clauses = all("details.clause").length;
  const texts = new Map();

  const textOf = (run, entry) => {
    if (!texts.has(entry)) texts.set(entry, `${run.element.dataset.name} ${entry.textContent}`.toLowerCase());
    return texts.get(entry);
  };
  const chosen = (name) => new Set(all(`input[name=${name}]:checked`, form).map((box) => box.value));
  const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  const apply = () => {
    const [formats, levels, verdicts] = ["format", "level", "verdict"].map(chosen);
    const wanted = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filtered = wanted.length > 0 || all("input[type=checkbox]:not(:checked)", form).length > 0;
    let shownClauses = 0;
    let shownRuns = 0;
    for (const run of runs) {
      let shown = 0;
      for (const entry of run.entries) {
        const { format, level, verdict } = entry.dataset;
        const fits = formats.has(format) && (level === "" || levels.has(level)) && verdicts.has(verdict);
        entry.hidden = !(fits && wanted.every((word) => textOf(run, entry).includes(word)));
        if (!entry.hidden) {
          shown += 1;
          if (entry.matches("details")) shownClauses += 1;
        }
      }
      run.element.hidden = shown === 0;
      if (run.row) run.row.hidden = shown === 0;
      if (shown > 0) shownRuns += 1;
      if (filtered && shown > 0) run.element.open = true;
    }
    count.textContent = `${shownClauses} of ${plural(clauses, "clause")} shown, in ${shownRuns} of ${plural(runs.length, "run")}.`;
  };

  const land = () => {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {
      return;
    }
    const target = name && document.getElementById(name);
    if (!target || !target.closest("details")) return;
    if (target.closest("[hidden]")) {
      form.reset();
      apply();
    }
    for (let element = target; element; element = element.parentElement) {
      if (element.matches("details")) element.open = true;
    }
    target.scrollIntoView();
    target.querySelector("summary")?.focus({ preventScroll: true });
  };

  const fold = () => {
    for (const details of all("details.clause, details.across")) details.open = false;
    for (const { element } of runs) element.open = runs.length === 1 || element.dataset.verdict === "violates";
  };

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("open").addEventListener("click", () => {
    for (const details of all("details.run, details.clause")) if (!details.closest("[hidden]")) details.open = true;
  });
  document.getElementById("close").addEventListener("click", () => {
    for (const details of all("details")) details.open = false;
  });
  if (navigator.clipboard) {
    for (const button of all("button.copy")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const code = button.previousElementSibling.textContent;
        const done = await navigator.clipboard.writeText(code).then(() => true, () => false);
        button.textContent = done ? "Copied" : "Not copied: the browser refused";
      });
    }
  }
  // a second click on the link of the same place changes no address
  document.addEventListener("click", (event) => {
    if (event.target.closest("a[href^='#']")) setTimeout(land);
  });
  addEventListener("hashchange", land);
  // the browser's own scroll to the fragment, until the page has loaded, takes the focus away again
  addEventListener("load", () => setTimeout(land));
  fold();
  apply();
})();
