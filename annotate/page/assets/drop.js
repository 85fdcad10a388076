// A capture, and a key log, that are dropped on the page are read beside the story.
(() => {
  const drop = document.querySelector("#drop");
  if (!drop) return;
  const input = drop.querySelector("#files"), says = drop.querySelector("#drop-says");
  drop.querySelector(".ask-drop").hidden = false;
  const say = text => { says.hidden = !text; says.textContent = text };
  const send = async files => {
    if (!files.length) return;
    const form = new FormData();
    for (const f of files) form.append("file", f, f.name);
    say(drop.dataset.wait);
    try {
      const r = await fetch("/read", {method: "POST", body: form}), text = await r.text();
      if (r.ok) location.href = text; else say(text);
    } catch (e) { say(String(e)) }
    input.value = "";
  };
  input.addEventListener("change", () => send(input.files));
  const holds = e => e.dataTransfer && [...e.dataTransfer.types].includes("Files");
  let depth = 0;
  const mark = by => { depth = Math.max(0, depth + by); document.body.classList.toggle("dropping", depth > 0) };
  addEventListener("dragenter", e => { if (holds(e)) { e.preventDefault(); mark(1) } });
  addEventListener("dragleave", e => { if (holds(e)) mark(-1) });
  addEventListener("dragover", e => { if (holds(e)) e.preventDefault() });
  addEventListener("drop", e => { if (holds(e)) { e.preventDefault(); mark(-depth); send(e.dataTransfer.files) } });
})();
