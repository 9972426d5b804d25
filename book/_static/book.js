// What scrolls sideways can be scrolled with the keyboard: it gets a place in the order of the Tab key, and a name.
(function () {
  const names = { "zh-CN": ["代码或输出", "表格", "公式"], en: ["Code or output", "Table", "Formula"] };
  const kinds = ["div.highlight pre", ".table-wrapper, .cell_output .text_html", "div.math"];

  function mark() {
    const words = names[document.documentElement.lang] || names.en;
    kinds.forEach((selector, kind) => {
      document.querySelectorAll(selector).forEach((element) => {
        const scrolls = element.scrollWidth > element.clientWidth;
        if (scrolls && !element.hasAttribute("tabindex")) {
          element.setAttribute("tabindex", "0");
          element.setAttribute("role", "region");
          element.setAttribute("aria-label", words[kind]);
        } else if (!scrolls && element.getAttribute("role") === "region") {
          ["tabindex", "role", "aria-label"].forEach((name) => element.removeAttribute(name));
        }
      });
    });
  }

  window.addEventListener("load", mark);
  window.addEventListener("resize", mark);
  document.addEventListener("toggle", mark, true); // a solution that was opened
})();

// Tables that narrow windows show as a block a row: each cell is told its column, and stays a cell for readers of screens.
(() => {
  const text = (cell) => cell.textContent.replace(/¶|#$/g, "").trim();

  // [name of each column]: of a head of several rows the names one below the other
  function columns(head) {
    const names = [];
    for (const row of head.rows) {
      let at = 0;
      for (const cell of row.cells) {
        for (let i = 0; i < cell.colSpan; i += 1, at += 1) names[at] = [names[at], text(cell)].filter(Boolean).join(" ");
      }
    }
    return names;
  }

  for (const table of document.querySelectorAll("article table")) {
    const cells = [...table.querySelectorAll("td, th")];
    if (cells.some((cell) => cell.rowSpan > 1)) continue;
    const names = table.tHead ? columns(table.tHead) : [];
    table.setAttribute("role", "table");
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      let at = 0;
      for (const cell of row.cells) {
        const isHead = cell.tagName === "TH";
        cell.setAttribute("role", !isHead ? "cell" : row.parentElement === table.tHead ? "columnheader" : "rowheader");
        if (row.parentElement !== table.tHead && names[at]) cell.dataset.column = names[at];
        at += cell.colSpan;
      }
    }
    table.querySelectorAll("thead, tbody").forEach((group) => group.setAttribute("role", "rowgroup"));
    table.classList.add("stacks");
  }
})();

// roles that a reader of screens can use, and a navigation that opens and closes by keyboard
(() => {
  const switches = [["__navigation", ".nav-overlay-icon"], ["__toc", ".toc-overlay-icon"]];
  for (const [id, icons] of switches) {
    const box = document.getElementById(id);
    if (!box) continue;
    for (const icon of document.querySelectorAll(icons)) {
      icon.setAttribute("tabindex", "0");
      icon.setAttribute("role", "button");
      icon.setAttribute("aria-label", box.getAttribute("aria-label"));
      icon.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        icon.click();
      });
    }
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") box.checked = false; });
  }
  document.querySelectorAll("p.caption[role=heading]").forEach((one) => one.setAttribute("aria-level", "2"));
  document.querySelectorAll(".citation-list, .citation[role=doc-biblioentry]").forEach((one) => one.removeAttribute("role"));
})();
