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
