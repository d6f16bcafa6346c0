"use strict";
(() => {
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const parts = Array.from(document.querySelectorAll(".found, .items > li"));
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
      if (fits && !part.querySelector(".items")) count += 1;
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
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
})();
