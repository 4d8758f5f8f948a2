"use strict";
(() => {
  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  /* The JSON as a file. */
  const report = document.getElementById("report-json");
  const place = document.getElementById("download");
  if (report && place) {
    const button = make("button", "Save the JSON", { type: "button" });
    button.addEventListener("click", () => {
      const blob = new Blob([report.textContent], { type: "application/json" });
      const link = make("a", "", { href: URL.createObjectURL(blob), download: "bench.json" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    place.after(button);
  }

  /* Gates: sorted by any column, filtered by verdict and words. */
  const table = document.querySelector("table.gates");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const key = (row, column) => {
      const cell = row.cells[column];
      const figure = cell.querySelector("[data-value]");
      const value = figure ? JSON.parse(figure.dataset.value) : cell.textContent.trim();
      return typeof value === "boolean" ? Number(value) : value;
    };
    const order = (a, b) => {
      if (typeof a === "number" && typeof b === "number") return a - b;
      if (typeof a === "number") return -1;
      if (typeof b === "number") return 1;
      return String(a).localeCompare(String(b));
    };
    [...table.tHead.rows[0].cells].slice(0, 5).forEach((heading, column) => {
      const button = make("button", heading.textContent, { type: "button", class: "sort" });
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        rows.sort((a, b) => (down ? -1 : 1) * order(key(a, column), key(b, column)));
        body.append(...rows);
      });
      heading.replaceChildren(button);
    });

    const verdict = make("select", "", { "aria-label": "Show gates" });
    for (const [value, words] of [
      ["", "all gates"],
      ["fail", "failed"],
      ["skip", "not measured"],
      ["pass", "passed"],
    ])
      verdict.append(make("option", words, { value }));
    const words = make("input", "", {
      type: "search",
      placeholder: "filter by name",
      "aria-label": "Filter gates by name",
    });
    const count = make("output", "");
    const filter = () => {
      const wanted = words.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits =
          (!verdict.value || row.cells[0].dataset.verdict === verdict.value) &&
          row.cells[1].textContent.toLowerCase().includes(wanted);
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${rows.length} shown`;
    };
    verdict.addEventListener("change", filter);
    words.addEventListener("input", filter);
    const controls = make("div", "", { class: "controls" });
    controls.append(verdict, words, count);
    table.parentNode.before(controls);
    filter();
  }

  /* Paper shows what is folded. */
  const folded = [];
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      folded.push(part);
    }
  });
  addEventListener("afterprint", () => {
    for (const part of folded.splice(0)) part.open = false;
  });
})();
