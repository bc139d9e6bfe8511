// What a report needs beyond its text: the colour scheme, tabs, and the contents that follow the reader.
// Without it everything is still on the page: all tabs are open, and the contents are a plain list.
(() => {
  "use strict";
  const root = document.documentElement;
  const systemDark = matchMedia("(prefers-color-scheme: dark)");

  // Pages opened from disk may have no storage; the choice then lasts for the page.
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

  for (const set of document.querySelectorAll(".panel-tabset")) {
    const tabs = [...set.querySelectorAll(":scope > .nav-tabs [role=tab]")];
    const show = (tab, focus) => {
      for (const other of tabs) {
        const on = other === tab;
        other.setAttribute("aria-selected", on);
        other.tabIndex = on ? 0 : -1;
        document.getElementById(other.getAttribute("aria-controls")).classList.toggle("active", on);
      }
      if (focus) tab.focus();
    };
    set.classList.add("hk-live");
    show(tabs[0]);
    tabs.forEach((tab, place) => {
      tab.addEventListener("click", () => show(tab));
      tab.addEventListener("keydown", (event) => {
        const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        show(tabs[(to + tabs.length) % tabs.length], true);
      });
    });
    // A link to a figure opens the tab that holds it.
    const reveal = () => {
      const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const pane = target && set.contains(target) && target.closest(".tab-pane");
      const tab = pane && tabs.find((each) => each.getAttribute("aria-controls") === pane.id);
      if (tab && !pane.classList.contains("active")) { show(tab); target.scrollIntoView(); }
    };
    addEventListener("hashchange", reveal);
    reveal();
  }

  // The keyboard stops at a chart only where it scrolls sideways: also once its tab is opened.
  const reach = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(".hk-wide")) reach.observe(box);

  const contents = document.querySelector("#TOC details");
  if (!contents) return;
  const wide = matchMedia("(min-width: 62rem)");
  const fold = () => { contents.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) contents.open = false;
  });
  const entries = new Map([...contents.querySelectorAll("a")].map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
  const headings = [...entries.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const follow = () => {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < 120);
    const now = (passed.at(-1) || headings[0])?.id;
    for (const [id, entry] of entries) {
      if (id === now) entry.setAttribute("aria-current", "true");
      else entry.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
  follow();
})();
