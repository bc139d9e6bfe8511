// Links from one report to the others: the period before and after, and the other brands. The list of
// reports stands above this text, so that adding a report changes this file and no page.
(() => {
  "use strict";
  const place = document.querySelector(".hk-site");
  if (!place) return;
  const up = place.dataset.site;
  const here = site.find((row) => row.reports.some((report) => report.folder === place.dataset.here));
  if (!here) return;
  const now = here.reports.findIndex((report) => report.folder === place.dataset.here);
  const link = (report, mark, words) => {
    if (!report) return;
    const a = document.createElement("a");
    a.href = `${up}${report.folder}/index.html`;
    a.textContent = mark === "←" ? `← ${report.period}` : `${report.period} →`;
    a.setAttribute("aria-label", `${words}: ${report.period}`);
    a.rel = mark === "←" ? "prev" : "next";
    place.append(a);
  };
  // Before and after are of the same kind: a quarter follows a quarter.
  const kin = (step) => {
    for (let i = now + step; here.reports[i]; i += step) {
      if (here.reports[i].grain === here.reports[now].grain) return here.reports[i];
    }
    return null;
  };
  link(kin(-1), "←", "Period before");
  link(kin(1), "→", "Period after");
  if (site.length < 2) return;
  const label = document.createElement("label");
  label.textContent = "Brand ";
  const select = document.createElement("select");
  for (const row of site) {
    const same = row.reports.find((report) => report.period === here.reports[now].period);
    const target = same || row.reports.at(-1);
    const option = new Option(same ? row.brand : `${row.brand} (${target.period})`, target.folder);
    option.selected = row === here;
    select.append(option);
  }
  select.addEventListener("change", () => { location.href = `${up}${select.value}/index.html`; });
  label.append(select);
  place.append(label);
})();
