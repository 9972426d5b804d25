// What is asked of a page once it has loaded; visit.py puts the answers into a Visit.
({
  // all pictures are loaded, also those below the window; formulas are set, fonts are there
  async settle() {
    document.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    await document.fonts.ready;
  },

  name(element) {
    const text = (element.innerText || element.getAttribute("aria-label") || "").trim().slice(0, 40);
    const id = element.id ? "#" + element.id : "";
    return `<${element.tagName.toLowerCase()}${id} ${(element.getAttribute("class") || "")}> ${text}`;
  },

  // pictures without size or alternative text, and those that did not load
  pictures() {
    const faults = [];
    for (const image of document.images) {
      const source = (image.getAttribute("src") || "").slice(0, 60);
      for (const name of ["width", "height", "alt"]) {
        if (!image.getAttribute(name)) faults.push(`${source}: no ${name}`);
      }
      if (!image.complete || !image.naturalWidth) faults.push(`${source}: did not load`);
    }
    for (const svg of document.querySelectorAll("article svg, main svg")) {
      const hidden = svg.closest("[aria-hidden=true], button, label, symbol, a.headerlink");
      const named = svg.getAttribute("aria-label") || svg.getAttribute("aria-labelledby") || svg.querySelector("title");
      if (!hidden && !svg.parentElement.closest("svg") && !(svg.getAttribute("role") === "img" && named)) {
        faults.push(`${this.name(svg)}: an svg without role="img" and a name`);
      }
      if (!hidden && svg.getBoundingClientRect().width === 0 && !svg.closest("details:not([open])")) {
        faults.push(`${this.name(svg)}: an svg of no width`);
      }
    }
    return faults;
  },

  // what makes the page wider than the window: nothing, if all is well
  overflow() {
    const page = document.scrollingElement;
    if (page.scrollWidth <= window.innerWidth) return [];
    const scrolls = (element) => element && element !== page && element !== document.body
      && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
    const wide = [...document.querySelectorAll("body *")].filter((element) =>
      element.getBoundingClientRect().right > window.innerWidth + 1 && !scrolls(element.parentElement));
    return [`${page.scrollWidth} pixels wide`, ...wide.slice(0, 5).map((element) => this.name(element))];
  },

  // code, outputs and tables that end outside their boxes; a narrow window may scroll code, which no reader wants broken
  cut() {
    const closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    const tables = ".table-wrapper, .cell_output .text_html", texts = "div.highlight pre, .cell_output .output";
    const faults = [...document.querySelectorAll(window.innerWidth < 1008 ? tables : `${tables}, ${texts}`)]
      .filter((element) => element.scrollWidth > element.clientWidth)
      .map((element) => `${this.name(element)}: ${element.scrollWidth} pixels in ${element.clientWidth}`);
    closed.forEach((details) => { details.open = false; });
    return faults;
  },

  // what the frame of a page says: all but its text, its title and the names of other pages, and the titles of its notes
  frame() {
    const words = [...document.querySelectorAll("body, #search-results, .admonition-title")].flatMap((root) => {
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
      while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        const isText = parent.closest("script, style, .sidebar-tree, .toc-tree, .related-pages .title")
          || (root === document.body && parent.closest("article"));
        if (!isText) found.push(walker.currentNode.data);
      }
      return found;
    });
    const labels = ["aria-label", "title", "placeholder", "data-tooltip", "alt"];
    for (const element of document.querySelectorAll("body *:not(article img, article a.reference)")) {
      labels.forEach((name) => { if (element.hasAttribute(name)) words.push(element.getAttribute(name)); });
    }
    return words;
  },

  // formulas still written as TeX
  raw_formulas() {
    const faults = [...document.querySelectorAll(".math")]
      .filter((element) => !element.querySelector("mjx-container, math") || element.querySelector("mjx-merror, [data-mjx-error]"))
      .map((element) => element.textContent.trim().slice(0, 60));
    const prose = [...document.querySelectorAll("article p, article li, article td")]
      .filter((element) => !element.closest("pre, code"))
      .map((element) => [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join(" "));
    return faults.concat(prose.filter((text) => /\\\(|\\\[|\$\$|\\(frac|mathbf|times|sum)\b/.test(text)));
  },
})
