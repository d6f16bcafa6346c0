"use strict";
(() => {
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const parts = Array.from(document.querySelectorAll(".found, .part, .items > li"));
  const texts = parts.map((part) => part.textContent.toLowerCase());
  const search = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    parts.forEach((part, at) => {
      // A host whose name and change are searched for has both words, its change has only one.
      const whole = part.closest(".found");
      const text = whole && whole !== part ? texts[at] + whole.firstElementChild.textContent.toLowerCase() : texts[at];
      const fits = words.every((word) => text.includes(word));
      part.hidden = !fits;
      if (part.matches("details")) part.open = words.length > 0 && fits;
      if (fits && !part.matches("details")) count += 1;
    });
    found.textContent = words.length ? count + " found" : "";
  };
  query.addEventListener("input", search);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== query) {
      event.preventDefault();
      query.focus();
    } else if (event.key === "Escape" && query.value) {
      query.value = "";
      search();
    }
  });
  // A link to the page can contain what to search for: plan.html#q=h4
  const wanted = new URLSearchParams(location.hash.slice(1)).get("q");
  if (wanted) {
    query.value = wanted;
    search();
  }
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
})();
