"use strict";
(() => {
  // A command is copied whole; where the browser has no clipboard for this page it is selected.
  const label = document.documentElement.dataset.copy;
  const offer = box => {
    if (!label || box.querySelector(".copy")) return;
    const b = document.createElement("button"), text = box.querySelector("pre");
    b.type = "button"; b.className = "copy"; b.textContent = label;
    b.onclick = async () => {
      try { await navigator.clipboard.writeText(text.textContent); b.setAttribute("aria-pressed", "true") }
      catch { getSelection().selectAllChildren(text) }
    };
    box.prepend(b);
  };
  // A box that is shown gets its button: there can be thousands.
  document.addEventListener("toggle", e => { for (const box of e.target.querySelectorAll(":scope > .command")) offer(box) }, true);
})();
