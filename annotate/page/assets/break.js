// Clicking a byte leads to where it can be changed.
(() => {
  document.addEventListener("click", e => {
    const hex = e.target.closest && e.target.closest("[data-break] .hex");
    if (!hex || !getSelection().isCollapsed) return;
    const caret = document.caretPositionFromPoint ? document.caretPositionFromPoint(e.clientX, e.clientY) : document.caretRangeFromPoint(e.clientX, e.clientY);
    const node = caret && (caret.offsetNode || caret.startContainer);
    if (!node || !hex.contains(node)) return;
    const before = document.createRange();
    before.setStart(hex, 0);
    before.setEnd(node, caret.offsetNode ? caret.offset : caret.startOffset);
    const to = new URL(hex.parentElement.dataset.break, location.href);
    to.searchParams.set("b", Math.floor(before.toString().length / 3));
    to.hash = "byte";
    location.href = to;
  });
})();
