// The preview: asks every half second how it stands, shows what is wrong, and reloads the parts that changed.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const element = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  };
  const shown = new Map();
  let problems = "";

  const standing = (className, text) => {
    const line = byId("standing");
    if (line.textContent !== text) line.textContent = text;
    line.className = `status ${className}`;
  };

  const show = async (name, part) => {
    if (shown.get(name) === part.version) return;
    const isFirst = !shown.has(name);
    shown.set(name, part.version);
    document.querySelector(`[data-open="${name}"]`).href = `/${part.path}`;
    if (name === "text") {
      byId("text").textContent = await (await fetch(`/${part.path}`)).text();
      return;
    }
    const frame = document.querySelector(`[data-part="${name}"]`);
    // A reload keeps the place that was scrolled to; viewers of PDFs that cannot be reached begin anew.
    try {
      if (!isFirst) return frame.contentWindow.location.reload();
    } catch {}
    frame.src = `/${part.path}?${part.version.slice(0, 8)}`;
  };

  const tell = (found) => {
    const box = byId("problems");
    const known = JSON.stringify(found);
    if (known === problems) return;
    problems = known;
    const list = document.createElement("ul");
    for (const { file, line, text, message } of found) {
      const item = document.createElement("li");
      if (file) item.append(element("div", "place", `${file}, line ${line}`));
      if (text !== null) item.append(element("pre", "", text));
      item.append(element("div", "", message));
      list.append(item);
    }
    box.replaceChildren(list);
    box.hidden = found.length === 0;
  };

  const refresh = async () => {
    let state;
    try {
      state = await (await fetch("/state")).json();
    } catch {
      standing("unknown", "△ the preview has ended; start it again");
      return;
    }
    byId("what").textContent = state.what;
    byId("subject").textContent = state.subject;
    document.title = `${state.problems.length ? "! " : ""}${state.what} · Deloton`;
    tell(state.problems);
    if (state.problems.length) standing("failed", "! out of date: see what is wrong");
    else standing("succeeded", "✓ up to date");
    for (const [name, part] of Object.entries(state.parts)) await show(name, part);
  };

  const again = async () => {
    if (!document.hidden) await refresh();
    setTimeout(again, 500);
  };
  again();
})();
