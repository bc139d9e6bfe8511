// What the home page needs beyond its text: the colour scheme, and search. The search index is a script
// (search.js) that is loaded when somebody wants to search: pages opened from disk may not fetch files.
(() => {
  "use strict";
  const root = document.documentElement;
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("hk-theme");
      localStorage.setItem("hk-theme", value);
    } catch { /* nothing to remember it in */ }
    return null;
  };
  const button = document.querySelector(".hk-theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  const chosen = remembered();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  button.hidden = false;
  label();
  systemDark.addEventListener("change", label);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    label();
  });

  const box = document.querySelector("#search");
  const list = document.querySelector("#found");
  const said = document.querySelector("#said");
  if (!box) return;
  box.closest("form").hidden = false;
  const MOST = 30;
  let loading = null;
  const load = () => {
    loading ||= new Promise((done) => {
      const script = document.createElement("script");
      script.src = "search.js";
      script.addEventListener("load", () => done(true));
      script.addEventListener("error", () => done(false));
      document.head.append(script);
    });
    return loading;
  };
  const plain = (words) => words.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const search = async () => {
    const wanted = plain(box.value).split(/\s+/).filter(Boolean);
    if (!wanted.length) { list.replaceChildren(); said.textContent = ""; return; }
    if (!(await load())) { said.textContent = "The search index is not beside this page."; return; }
    const { reports, terms } = window.hkSearch;
    const hits = [];
    for (const [kind, words, places] of terms) {
      const text = plain(words);
      for (const [place, anchor] of places) {
        const report = reports[place];
        const all = `${text} ${plain(report.title)}`;
        if (wanted.every((word) => all.includes(word)) && wanted.some((word) => text.includes(word))) {
          hits.push({ kind, words, report, anchor, rank: text.startsWith(wanted[0]) ? 0 : 1 });
        }
      }
    }
    hits.sort((a, b) => a.rank - b.rank || b.report.order - a.report.order || a.words.localeCompare(b.words));
    list.replaceChildren(...hits.slice(0, MOST).map((hit) => {
      const item = document.createElement("li");
      const a = document.createElement("a");
      a.href = `${hit.report.folder}/index.html${hit.anchor ? `#${hit.anchor}` : ""}`;
      a.textContent = hit.words;
      const where = document.createElement("span");
      where.textContent = `${hit.kind} · ${hit.report.title}`;
      item.append(a, where);
      return item;
    }));
    const rest = hits.length > MOST ? `, the first ${MOST} shown` : "";
    said.textContent = hits.length ? `${hits.length} found${rest}` : `Nothing found for “${box.value.trim()}”`;
  };
  box.addEventListener("focus", load, { once: true });
  box.addEventListener("input", search);
  box.closest("form").addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.focus();
  });
  if (box.value) search();
})();
