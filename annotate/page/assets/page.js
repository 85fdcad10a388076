"use strict";
(() => {
  const root = document.documentElement, base = root.dataset.base || "/";
  const $ = (s, of = document) => of.querySelector(s), $$ = (s, of = document) => [...of.querySelectorAll(s)];
  const live = !document.body.classList.contains("file");

  // Shade and size are this browser's own; a file has nowhere to keep them.
  const keep = (k, v) => { try { v === undefined ? 0 : localStorage.setItem(k, v); return localStorage.getItem(k) } catch { return null } };
  const shade = $("#shade"), larger = $("#larger"), help = $("#help"), keys = $("#keys");
  const dark = () => root.dataset.shade ? root.dataset.shade === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const shadeTo = v => { root.dataset.shade = v; shade.setAttribute("aria-pressed", v === "dark") };
  const sizeTo = on => { root.toggleAttribute("data-larger", on); larger.setAttribute("aria-pressed", on) };
  if (keep("shade")) shadeTo(keep("shade"));
  if (keep("larger") === "1") sizeTo(true);
  for (const b of [shade, larger, keys]) b.hidden = false;
  const toggleShade = () => { shadeTo(dark() ? "light" : "dark"); keep("shade", root.dataset.shade) };
  const toggleSize = () => { sizeTo(!root.hasAttribute("data-larger")); keep("larger", root.hasAttribute("data-larger") ? "1" : "0") };
  const toggleHelp = () => { help.hidden = !help.hidden; keys.setAttribute("aria-expanded", !help.hidden) };
  shade.onclick = toggleShade; larger.onclick = toggleSize; keys.onclick = toggleHelp;

  // Pointing at a byte shows its field, and the other way round.
  const point = (e, on) => {
    const at = e.target.closest && e.target.closest("[data-p]");
    if (!at) return;
    const dump = at.closest(".dump");
    for (const x of $$(`[data-p="${at.dataset.p}"]`, dump)) x.classList.toggle("on", on);
    if (on && at.parentElement.classList.contains("hex")) {
      const li = $(`.parts [data-p="${at.dataset.p}"]`, dump);
      if (li && (li.offsetTop < dump.scrollTop || li.offsetTop > dump.scrollTop + dump.clientHeight)) li.scrollIntoView({block: "nearest"});
    }
  };
  document.addEventListener("mouseover", e => point(e, true));
  document.addEventListener("mouseout", e => point(e, false));

  // Steps are played in the book's order.
  let article = null, step = -1;
  const tilesOf = a => $$(".tile", a);
  const play = (a, n) => {
    article = a; step = n;
    for (const x of $$(".now")) x.classList.remove("now");
    const tiles = tilesOf(a);
    if (n < 0 || n >= tiles.length) { step = -1; return }
    const tile = tiles[n];
    tile.classList.add("now");
    for (const l of $$(".line", a)) if (l.dataset.steps.split(" ").includes(tile.dataset.step)) l.classList.add("now");
    const first = $(".line.now", a);
    tile.scrollIntoView({block: "nearest"});
    if (first && first.getBoundingClientRect().top > innerHeight) first.scrollIntoView({block: "center"});
  };
  const current = () => article && article.isConnected ? article : $(".session:target") || $(".session");
  document.addEventListener("click", e => {
    const h = e.target.closest && e.target.closest(".tile h4");
    if (h) { const a = h.closest(".session"); play(a, tilesOf(a).indexOf(h.closest(".tile"))) }
    const link = e.target.closest && e.target.closest("a.play");
    if (link) { const l = document.getElementById(link.hash.slice(1)); if (l) $("details", l).open = true }
  });
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && e.key !== "Escape") return;
    const a = current();
    switch (e.key) {
      case "ArrowRight": if (a) play(a, Math.min(step + 1, tilesOf(a).length - 1)); else return; break;
      case "ArrowLeft": if (a) play(a, Math.max(step - 1, 0)); else return; break;
      case "Escape": if (a) play(a, -1); if (!help.hidden) toggleHelp(); document.activeElement.blur(); break;
      case "p": toggleSize(); break;
      case "d": toggleShade(); break;
      case "?": toggleHelp(); break;
      case "/": { const f = $("#filter"); if (!f) return; f.focus(); break }
      default: return;
    }
    e.preventDefault();
  });
  // A link to a message opens it.
  const opened = () => { const l = location.hash.length > 1 && document.getElementById(location.hash.slice(1)); const d = l && $("details", l); if (d && l.classList.contains("line")) d.open = true };
  addEventListener("hashchange", opened); opened();
  if (!live) return;

  const html = text => { const t = document.createElement("template"); t.innerHTML = text; return t.content };
  const rows = $("#rows"), story = $("#story");
  let version = +root.dataset.version, source = null, paused = false;

  // Of many rows a window is in the document: above and below it, rows are fetched when they come into sight.
  const most = 600, many = 200;
  const newer = $("#newer"), query = () => { const f = $("#filter"); return f ? f.value : "" };
  const rowsOf = () => $$(".row", rows);
  // What is looked at stays where it is while rows come and go above it.
  const steady = change => {
    const at = rows.getBoundingClientRect().top < 0 ? rowsOf().find(r => r.getBoundingClientRect().bottom > 0) : null, was = at && at.getBoundingClientRect().top;
    change();
    if (at && at.isConnected) scrollBy({top: at.getBoundingClientRect().top - was, behavior: "instant"});
  };
  const watch = () => { for (const x of [newer, $(".older", rows)]) if (x) { seen.unobserve(x); seen.observe(x) } };
  const endAt = (last, link) => {
    const a = link || document.createElement("a");
    a.className = "older"; a.dataset.before = last.dataset.n; a.textContent ||= newer.dataset.older;
    a.href = `?before=${last.dataset.n}&q=${encodeURIComponent(query())}`;
    if (!link) rows.append(a);
    watch();
  };
  const cutBelow = () => {
    const all = rowsOf();
    if (all.length <= most) return;
    for (const r of all.slice(most)) r.remove();
    endAt(all[most - 1], $(".older", rows));
  };
  const cutAbove = () => {
    const all = rowsOf(), n = all.length - most;
    if (n <= 0) return;
    for (const r of all.slice(0, n)) r.remove();
    newer.hidden = false;
  };
  let fetching = false;
  const fetchRows = async (which, put) => {
    if (fetching) return;
    fetching = true;
    try {
      const mine = query(), r = await fetch(`${base}rows?${which}&q=${encodeURIComponent(mine)}`);
      if (!r.ok) return;
      const text = await r.text();
      if (mine !== query()) return;
      steady(() => put(html(text)));
      version = +r.headers.get("Book-Version"); // what was told of these rows meanwhile is told again
      if (!paused) listen();
      fetching = false;
      watch();
    } finally { fetching = false }
  };
  const fetchOlder = b => fetchRows("before=" + b.dataset.before, now => { b.replaceWith(now); cutAbove() });
  const fetchNewer = () => {
    const first = $(".row", rows);
    if (first) fetchRows("after=" + first.dataset.n, now => {
      newer.hidden = $$(".row", now).length < many;
      rows.prepend(now);
      cutBelow();
    });
  };
  const seen = new IntersectionObserver(es => { for (const e of es) if (e.isIntersecting) e.target === newer ? fetchNewer() : fetchOlder(e.target) }, {rootMargin: "400px"});

  const took = text => {
    const now = html(text), shares = $("#shares", now);
    if (shares) $("#shares").replaceWith(shares);
    steady(() => {
      for (const r of $$(".row", now)) {
        const old = document.getElementById(r.id);
        if (old) { if (old.contains(document.activeElement)) { const a = $("a", r); old.replaceWith(r); if (a) a.focus({preventScroll: true}) } else old.replaceWith(r); continue }
        const all = rows.children, n = +r.dataset.n;
        if (all.length && (!newer.hidden && n > +all[0].dataset.n)) continue; // beyond the window
        let i = 0;
        while (i < all.length && +all[i].dataset.n > n) i++;
        if (all[i] && all[i].classList.contains("older")) continue;
        rows.insertBefore(r, all[i] || null);
      }
      cutBelow();
    });
    $("#none").hidden = rows.children.length > 0;
  };
  const redraw = text => {
    const open = $$("details[open]", story).map(d => d.closest("[id]").id), checked = $$("input:checked", story).map(i => i.id), now = step, focus = document.activeElement && document.activeElement.id;
    story.replaceChildren(html(text));
    for (const id of open) { const x = document.getElementById(id), d = x && $("details", x); if (d) d.open = true }
    for (const id of checked) { const i = document.getElementById(id); if (i) i.checked = true }
    if (now >= 0) { step = now; const t = tilesOf($(".session"))[now]; if (t) t.classList.add("now") }
    if (focus) { const x = document.getElementById(focus); if (x) x.focus({preventScroll: true}) }
  };
  const listen = () => {
    if (source) source.close();
    source = new EventSource(`${base}events?v=${version}&q=${encodeURIComponent(query())}${story ? "&session=" + story.dataset.session : ""}`);
    source.addEventListener("rows", e => { version = +e.lastEventId; if (rows) took(e.data) });
    source.addEventListener("story", e => { version = +e.lastEventId; if (story) redraw(e.data) });
  };
  if (rows || story) listen();
  if (rows) {
    watch();
    const f = $("#filter"), pause = $("#pause");
    pause.hidden = false;
    let timer = 0, asked = 0;
    f.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(async () => {
      const mine = ++asked, r = await fetch(`${base}rows?q=${encodeURIComponent(f.value)}`);
      if (!r.ok || mine !== asked) return;
      newer.hidden = true; version = +r.headers.get("Book-Version"); rows.replaceChildren(html(await r.text())); $("#none").hidden = rows.children.length > 0;
      watch(); if (!paused) listen();
    }, 150) });
    pause.onclick = () => { paused = !paused; pause.setAttribute("aria-pressed", paused); if (paused) source.close(); else listen() };
  }
})();
