// Two sessions that are ticked in the table can be compared.
(() => {
  const link = document.querySelector("#pairs a");
  if (!link) return;
  document.documentElement.dataset.pairs = "";
  const chosen = [];
  const show = () => {
    link.parentElement.hidden = chosen.length !== 2;
    if (chosen.length === 2) link.href = (document.documentElement.dataset.base || "/") + "s/" + Math.min(...chosen) + "~" + Math.max(...chosen);
  };
  document.addEventListener("change", e => {
    if (!e.target.classList.contains("choose")) return;
    const n = +e.target.value, i = chosen.indexOf(n);
    if (i >= 0) chosen.splice(i, 1);
    if (e.target.checked) chosen.push(n);
    while (chosen.length > 2) {
      const old = document.querySelector(`.choose[value="${chosen.shift()}"]`);
      if (old) old.checked = false;
    }
    show();
  });
  // A row that is told anew stays ticked.
  const rows = document.querySelector("#rows");
  if (rows) new MutationObserver(() => { for (const n of chosen) { const c = document.querySelector(`.choose[value="${n}"]`); if (c) c.checked = true } }).observe(rows, {childList: true});
})();
