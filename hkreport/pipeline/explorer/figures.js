// Charts: each has a title, the drawing, its numbers as a table, and buttons to save it.

const figures = new Map();
const figure = (id, title, wide = false) => {
  const parts = {
    heading: make("h2", {}, title), tools: make("div", { class: "tools" }), note: make("p", { class: "hint" }),
    hold: make("div", { class: "hold" }), tip: make("div", { class: "tip", hidden: true }),
    said: make("p", { class: "sr", ariaLive: "polite" }),
    data: make("details", { class: "hk-data" }, make("summary", {}, "Numbers"), make("div", { class: "hk-scroll", tabIndex: 0 })),
  };
  parts.data.lastElementChild.setAttribute("role", "region");
  parts.data.lastElementChild.setAttribute("aria-label", `${title}: numbers`);
  const saving = make("div", { class: "saving" });
  for (const kind of ["SVG", "PNG"]) {
    const button = make("button", { type: "button" }, kind);
    button.setAttribute("aria-label", `Save ${title} as ${kind}`);
    button.addEventListener("click", () => saveChart(id, kind));
    saving.append(button);
  }
  const root = make("figure", { id: `chart-${id}`, class: wide ? "wide" : "" },
    make("figcaption", {}, parts.heading), parts.tools, parts.hold, parts.said, parts.note,
    make("div", { class: "under" }, parts.data, saving));
  parts.hold.append(parts.tip);
  parts.data.addEventListener("toggle", () => fillData(id));
  $("charts").append(root);
  figures.set(id, { ...parts, root, place: 0, chart: null, rows: null, pick: null });
  bindChart(id);
  return parts;
};
const control = (id, label, pairs, key, how = String) => {
  const select = make("select", { id: `${id}-${key}` });
  fill(select, pairs);
  select.addEventListener("input", () => set({ [key]: how(select.value) }));
  figures.get(id).tools.append(make("div", { class: "field" }, make("label", { htmlFor: select.id }, label), select));
  return select;
};

const put = (id, chart, { table, note = "", pick = null, empty = "" }) => {
  const kept = figures.get(id);
  const focused = kept.hold.contains(document.activeElement) ? document.activeElement.dataset.key ?? "" : null;
  kept.chart?.svg.remove();
  Object.assign(kept, { chart, rows: table, pick, place: 0 });
  kept.tip.hidden = true;
  kept.hold.dataset.empty = empty;
  if (!empty) kept.hold.prepend(chart.svg);
  kept.note.textContent = note;
  kept.note.hidden = !note;
  kept.root.querySelector(".saving").hidden = Boolean(empty);
  if (chart.cursor && !empty) {
    chart.svg.setAttribute("tabindex", "0");
    chart.svg.setAttribute("aria-description", "Arrow keys go from point to point.");
  }
  if (focused !== null) {
    const buttons = [...chart.svg.querySelectorAll("[role=button]")];
    const next = buttons.find((each) => each.dataset.key === focused) ?? buttons[0] ?? chart.svg;
    if (buttons.includes(next)) buttons.forEach((each) => each.setAttribute("tabindex", each === next ? "0" : "-1"));
    next.focus?.();
  }
  fillData(id);
};
const fillData = (id) => {
  const { data, rows, heading } = figures.get(id);
  if (!data.open || !rows) return;
  data.lastElementChild.replaceChildren(tableOf(heading.textContent, rows.head, typeof rows.body === "function" ? rows.body() : rows.body));
};
const tableOf = (caption, head, body) => make("table", {},
  make("caption", { class: "sr" }, caption),
  make("thead", {}, make("tr", {}, ...head.map((words, i) => make("th", { scope: "col", class: i ? "num" : "" }, words)))),
  make("tbody", {}, ...body.map((row) => make("tr", {}, ...row.map((words, i) => make(i ? "td" : "th", i ? { class: "num" } : { scope: "row" }, words))))));

const bindChart = (id) => {
  const kept = figures.get(id);
  const { hold } = kept;
  const rowOf = (target) => target.closest?.("[role=button]");
  hold.addEventListener("click", (event) => {
    const row = rowOf(event.target);
    if (row) kept.pick?.(row.dataset.key);
    else if (kept.chart?.cursor) {
      const near = nearest(kept, event);
      if (near >= 0 && kept.pick) kept.pick(kept.chart.points[near].key);
    }
  });
  hold.addEventListener("pointermove", (event) => {
    if (!kept.chart?.cursor) return;
    const near = nearest(kept, event);
    if (near < 0) hideTip(kept);
    else showTip(kept, near);
  });
  hold.addEventListener("pointerleave", () => hideTip(kept));
  hold.addEventListener("focusout", () => hideTip(kept));
  hold.addEventListener("keydown", (event) => {
    const row = rowOf(event.target);
    const rows = [...hold.querySelectorAll("[role=button]")];
    const size = row ? rows.length : kept.chart?.points.length ?? 0;
    const at = row ? rows.indexOf(row) : kept.place;
    const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: size - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      const key = row ? row.dataset.key : kept.chart?.cursor && !kept.tip.hidden ? kept.chart.points[kept.place].key : null;
      if (key === null || !kept.pick) return;
      event.preventDefault();
      kept.pick(key);
    } else if (to !== undefined && size) {
      event.preventDefault();
      const next = Math.max(0, Math.min(size - 1, to));
      if (row) {
        rows.forEach((each, i) => each.setAttribute("tabindex", i === next ? "0" : "-1"));
        rows[next].focus();
      } else {
        showTip(kept, kept.tip.hidden ? kept.place : next);
        kept.said.textContent = kept.chart.points[kept.place].words().join(", ");
      }
    }
  });
};
const nearest = ({ chart, hold }, event) => {
  const box = hold.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let [best, distance] = [-1, chart.cursor === "x" ? Infinity : 24 ** 2];
  chart.points.forEach((point, i) => {
    const away = (point.x - x) ** 2 + (chart.cursor === "x" ? 0 : (point.y - y) ** 2);
    if (away < distance) [best, distance] = [i, away];
  });
  return best;
};
const showTip = (kept, place) => {
  const { chart, tip } = kept;
  const point = chart.points[place];
  kept.place = place;
  chart.svg.querySelector(".cursor")?.remove();
  const mark = chart.cursor === "x"
    ? draw("line", { x1: point.x, x2: point.x, y1: 8, y2: chart.svg.getAttribute("height") - 24, class: "cursor" })
    : draw("circle", { cx: point.x, cy: point.y, r: 8, class: "cursor" });
  chart.svg.append(mark);
  const [first, ...rest] = point.words();
  tip.replaceChildren(make("strong", {}, first), ...rest.map((words) => make("div", {}, words)));
  tip.hidden = false;
  const room = Number(chart.svg.getAttribute("width")) - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(room, point.x + 14 > room ? point.x - tip.offsetWidth - 14 : point.x + 14))}px`;
  tip.style.top = `${Math.max(0, chart.cursor === "x" ? 8 : point.y - tip.offsetHeight - 10)}px`;
};
const hideTip = ({ chart, tip }) => {
  tip.hidden = true;
  chart?.svg.querySelector(".cursor")?.remove();
};

const save = (name, blob) => {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const saveChart = async (id, kind) => {
  const { chart, heading } = figures.get(id);
  hideTip(figures.get(id));
  const title = heading.textContent;
  save(`${id}.${kind.toLowerCase()}`, kind === "SVG" ? new Blob([svgText(chart.svg, title)], { type: "image/svg+xml" }) : await pngOf(chart.svg, title));
};

const buildCharts = () => {
  figure("trend", "Revenue and spend over time", true);
  figure("platform", "Revenue by platform");
  const addable = facts.metrics.filter(({ expression }) => ["total", "linear"].includes(expression.kind));
  control("platform", "By", addable.map((metric) => [metric.name, metric.label]), "platformMetric");
  figure("category", "ROAS by category");
  figure("top", "Top influencers");
  control("top", "Of", TOP_BY().map((name) => [name, facts.labels[name]]), "topBy");
  control("top", "By", facts.metrics.map((metric) => [metric.name, metric.label]), "topMetric");
  control("top", "From", [["", "best"], ["high", "highest"], ["low", "lowest"]], "topEnd");
  control("top", "Show", COUNTS.map((count) => [count, String(count)]), "topCount", Number);
  figure("products", "Products");
  const rankable = [...facts.columns.product, "influencer_revenue", "roi", "net_return"].filter((name) => name in declared);
  control("products", "By", rankable.map((name) => [name, declared[name].label]), "productMetric");
  figure("followers", "Followers and revenue");
  figure("payout", "Revenue against payout");
};
const roomOf = (id) => Math.floor(figures.get(id).hold.clientWidth) || 600;

let rooms = null;
const showCharts = () => {
  // Reading a width makes the browser lay the page out: it is read again only when the window changes.
  rooms ??= Object.fromEntries([...figures.keys()].map((id) => [id, roomOf(id)]));
  const room = rooms;
  showTrend(room.trend);
  $("platform-platformMetric").value = state.platformMetric;
  figures.get("platform").heading.textContent = `${labelOf(state.platformMetric)} by platform`;
  showBars("platform", "platform", state.platformMetric, room.platform, { share: true });
  showBars("category", "category", "roas", room.category, { mark: { value: 1, label: "break-even" } });
  showTop(room.top);
  showProducts(room.products);
  showClouds(room);
};

const stepFor = (days) => {
  const length = days[1] - days[0] + 1;
  const wanted = length <= 31 ? "day" : length <= 190 ? "week" : "month";
  if (cube.steps.includes(wanted)) return wanted;
  return wanted === "month" || cube.grain !== "day" ? cube.grain : wanted;
};
const stepsIn = ([from, to], step) => {
  const starts = [];
  for (let day = stepStart(from, step); day <= to && starts.length < 3000; day = stepEnd(day, step)) starts.push(day);
  return starts;
};
// A metric at each step, 0 where nothing happened, NaN where nothing is known.
const alongSteps = (current, starts, step, name) => {
  const found = compute(current, declared, [name], step);
  const at = new Map(found.labels.map((label, i) => [label, found.columns[name][i]]));
  const nothing = current.known.has(name) ? 0 : NaN;
  return starts.map((start) => at.get(stepName(start, step)) ?? nothing);
};
const showTrend = (width) => {
  const { current, against } = shown;
  const bounds = cube.data[0] ? cube.data.map(dayOf) : [cube.first_day, cube.last_day];
  const asked = snapped(cube, current.filters.days) ?? bounds;
  const days = [Math.max(asked[0], bounds[0]), Math.min(asked[1], bounds[1])];
  const step = stepFor(days);
  let starts = stepsIn(days, step);
  let note = "";
  if (step === "week") {
    const whole = starts.filter((start) => start >= days[0] && start + 6 <= days[1]);
    if (whole.length && whole.length < starts.length) [starts, note] = [whole, "Weeks that the dates cut are left out of the line. "];
  }
  if (["month", "quarter", "year"].includes(step) && starts.length) {
    const ends = [starts[0] < days[0] ? `the first ${step} begins on ${inWords(days[0])}` : "",
                  stepEnd(starts.at(-1), step) - 1 > days[1] ? `the last ${step} ends on ${inWords(days[1])}` : ""];
    note = ends.filter(Boolean).join(" and ").replace(/^t(.*)$/, "T$1.");
  }
  const series = [["revenue", "revenue"], ["influencer_revenue", "credited"], ["spend", "spend"]]
    .filter(([name]) => current.known.has(name))
    .map(([name, kind]) => ({ label: labelOf(name), kind, values: alongSteps(current, starts, step, name) }));
  if (against.slice) {
    let earlier = starts;
    if (against.days) {
      earlier = stepsIn(against.days, step);
      if (step === "week") {
        const whole = earlier.filter((start) => start >= against.days[0] && start + 6 <= against.days[1]);
        earlier = whole.length ? whole : earlier;
      }
    }
    const values = alongSteps(against.slice, earlier.slice(0, starts.length), step, "revenue");
    series.push({ label: `Revenue, ${against.name}`, kind: "before", values: starts.map((_, i) => values[i] ?? NaN) });
  }
  const titles = (start, whole) => {
    const date = new Date(start * DAY);
    const [day, month, year] = [date.getUTCDate(), MONTHS[date.getUTCMonth()], date.getUTCFullYear()];
    if (step === "month" || step === "quarter") return step === "quarter" ? stepName(start, step) : `${month} ${whole ? year : String(year).slice(2)}`;
    if (step === "year") return `${year}`;
    return whole ? `${step === "week" ? "Week of " : ""}${inWords(start)}` : `${day} ${month}`;
  };
  const chart = lines({ width, names: starts, series, unit: "money", titles, label: `Revenue and spend by ${step}` });
  const { tools } = figures.get("trend");
  tools.replaceChildren(...series.map(({ label, kind }) => make("span", { class: `key ${kind}` }, label)));
  figures.get("trend").heading.textContent = `Revenue and spend by ${step}`;
  put("trend", chart, {
    note: note.trim(), empty: series.length && starts.length ? "" : "No dated orders or payouts in this selection.",
    table: { head: [facts.labels[step], ...series.map(({ label }) => label)],
             body: starts.map((start, i) => [stepName(start, step), ...series.map(({ values }) => text(values[i], "money"))]) },
  });
};

const readAt = (current, by, row) => reader(current, by, row, new Set([...current.known, "profit_unknown"]));
const keyOf = (found, i) => (found.by === "influencer" ? cube.people.influencer_id[found.rows[i]] : found.labels[i]) ?? UNASSIGNED;
const shownAs = (found, i) => (found.by === "influencer" ? cube.people.shown[found.rows[i]] : plain(found.labels[i]));
const words = (current, name, value, grouped) => {
  if (!Number.isNaN(value)) return text(value, declared[name].unit, true);
  const reason = reasonFor(current, declared, name, grouped);
  return `n/a (${reason})`;
};
const barRows = (found, order, name, { share = false } = {}) => {
  // Parts of a whole are known and none is negative; else a share of their sum says nothing.
  const parts = share && found.columns[name].every((value) => value >= 0);
  const whole = parts ? order.reduce((sum, i) => sum + found.columns[name][i], 0) : 0;
  return order.map((i) => {
    const value = found.columns[name][i];
    const key = keyOf(found, i);
    const part = whole > 0 ? ` · ${text(value / whole, "percent")}` : "";
    return { key, label: shownAs(found, i), value, words: words(shown.current, name, value, readAt(shown.current, found.by, found.rows[i])) + part,
             colour: facts.colours[found.labels[i]], selected: state.values[found.by]?.includes(key) ?? false };
  });
};
// Largest first; what is undefined and what belongs to no group come last.
const ordered = (found, name, turn = -1) => {
  const values = found.columns[name];
  const parts = [[], [], [], []];
  found.labels.forEach((label, i) => parts[(label === null ? 2 : 0) + (Number.isNaN(values[i]) ? 1 : 0)].push(i));
  parts[0].sort((a, b) => turn * (values[a] - values[b]) || a - b);
  return parts.flat();
};
const barTable = (by, name, rows) => ({ head: [facts.labels[by], labelOf(name)], body: rows.map((row) => [row.label, row.words]) });
const cutNote = (count, shownFirst, by) =>
  (count > shownFirst ? `The first ${shownFirst} of ${grouped(count, 0)} ${many(by)}; the numbers below have all.` : "");
const isNameless = (found) => found.labels.every((label) => label === null);

const showBars = (id, by, name, width, { share = false, mark = null } = {}) => {
  const found = metricsBy(shown.current, [name], by);
  // What has no group, such as organic orders, is shown only where it has a part in the sum.
  const order = ordered(found, name).filter((i) => found.labels[i] !== null || found.columns[name][i]);
  const rows = barRows(found, order, name, { share });
  put(id, bars({ width, rows: rows.slice(0, 20), unit: declared[name].unit, mark, label: figures.get(id).heading.textContent }), {
    table: barTable(by, name, rows), pick: (key) => toggle(by, key), note: cutNote(rows.length, 20, by), empty: isNameless(found) ? `Nothing with a ${by} in this selection.` : "",
  });
};
const showTop = (width) => {
  const { topBy: by, topMetric: name, topCount, topEnd } = state;
  for (const key of ["topBy", "topMetric", "topCount", "topEnd"]) $(`top-${key}`).value = String(state[key]);
  const down = topEnd ? topEnd === "high" : declared[name].good !== "down";
  const found = metricsBy(shown.current, [name], by);
  const order = ordered(found, name, down ? -1 : 1).filter((i) => found.labels[i] !== null && !Number.isNaN(found.columns[name][i]));
  const rows = barRows(found, order.slice(0, topCount), name);
  const { heading } = figures.get("top");
  const count = Math.min(topCount, rows.length) || topCount;
  heading.textContent = `${down === (declared[name].good !== "down") ? "Top" : "Last"} ${count} ${count === 1 ? facts.labels[by].toLowerCase() : many(by)} by ${inside(name)}`;
  const missing = found.rows.length - order.length;
  put("top", bars({ width, rows, unit: declared[name].unit, label: heading.textContent }), {
    table: barTable(by, name, rows), pick: (key) => toggle(by, key),
    note: missing > 0 && order.length ? `${grouped(missing, 0)} without a value or a name ${missing === 1 ? "is" : "are"} left out.` : "",
    empty: rows.length ? "" : `Nothing has a value of ${labelOf(name)} here.`,
  });
};
const showProducts = (width) => {
  const name = state.productMetric;
  $("products-productMetric").value = name;
  const found = metricsBy(shown.current, [name], "product");
  const rows = barRows(found, ordered(found, name, declared[name].good === "down" ? 1 : -1).filter((i) => found.labels[i] !== null), name);
  const { heading } = figures.get("products");
  heading.textContent = `Products by ${inside(name)}`;
  put("products", bars({ width, rows: rows.slice(0, 15), unit: declared[name].unit, label: heading.textContent }), {
    table: barTable("product", name, rows), pick: (key) => toggle("product", key),
    note: cutNote(rows.length, 15, "product"),
    empty: rows.length ? "" : "Nothing with a product in this selection.",
  });
};
const showClouds = (room) => {
  const names = ["influencer_revenue", "spend", "roas"];
  const found = metricsBy(shown.current, names, "influencer");
  const { codes, values: tiers } = cube.people.tier;
  const people = found.rows.map((row, i) => ({
    key: cube.people.influencer_id[row], name: cube.people.shown[row], group: tiers[codes[row]] ?? UNASSIGNED,
    followers: cube.people.follower_count[row] ?? NaN, revenue: found.columns.influencer_revenue[i],
    spend: found.columns.spend[i], roas: found.columns.roas[i],
  })).filter(({ key }) => key !== null);
  const order = ["nano", "micro", "mid", "macro", "mega", "celebrity"];
  const groups = [...new Set(people.map(({ group }) => group))].sort((a, b) => order.indexOf(a) - order.indexOf(b) || (a < b ? -1 : 1));
  const level = breakEven(shown.current);
  const guides = [{ slope: 1, label: "break-even: ROAS 1×", kind: "first" }];
  if (level > 1.02) guides.push({ slope: level, label: `with the cost of goods: ${text(level, "multiple")}`, kind: "second" });
  const pictures = [
    ["followers", "followers", "revenue", ["count", "money"], ["Followers", "Influencer revenue"], []],
    ["payout", "spend", "revenue", ["money", "money"], ["Payout", "Influencer revenue"], guides],
  ];
  for (const [id, x, y, units, axes, lines_] of pictures) {
    const there = people.filter((each) => each[x] > 0 && each[y] > 0).sort((a, b) => b[y] - a[y] || (a.key < b.key ? -1 : 1));
    const left = people.length - there.length;
    const words_ = (each) => [each.name, `${axes[0]}: ${text(each[x], units[0], true)}`,
      `Influencer revenue: ${text(each.revenue, "money", true)}`, `ROAS: ${text(each.roas, "multiple", true, "no spend")}`];
    const chart = cloud({ width: room[id], people: there, at: [x, y], units, axes, guides: lines_, groups, words: words_,
                          label: figures.get(id).heading.textContent, colourOf: (group) => facts.colours[group] ?? "#a3acb5" });
    figures.get(id).tools.replaceChildren(...groups.map((group) => {
      const key = make("span", { class: "key shape" }, plain(group));
      const mark = draw("svg", { viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" }, draw("path", { d: `M0 0${SHAPES[SHAPE_OF[group] ?? "circle"](4.5)}`, class: "points" }));
      mark.firstChild.style.setProperty("--own", facts.colours[group] ?? "#a3acb5");
      key.prepend(mark);
      return key;
    }), ...lines_.map((line) => make("span", { class: `key line-key ${line.kind}` }, line.label)));
    const paid = people.filter(({ spend }) => spend > 0);
    const above = id === "payout" && there.length ? `${grouped(paid.filter(({ roas }) => reaches(roas, 1)).length, 0)} of ${grouped(paid.length, 0)} who were paid bring in at least what they are paid. ` : "";
    put(id, chart, {
      note: `${above}${left ? `${grouped(left, 0)} with no ${axes[0].toLowerCase()} or no revenue ${left === 1 ? "has" : "have"} no place on these scales.` : ""}`.trim(),
      pick: (key) => toggle("influencer", key), empty: there.length ? "" : `Nobody with ${axes[0].toLowerCase()} and revenue in this selection.`,
      table: { head: ["Influencer", ...axes, "ROAS"], body: () => there.slice(0, 200).map((each) => [each.name, text(each[x], units[0]), text(each[y], units[1]), text(each.roas, "multiple", false, "no spend")]) },
    });
  }
};

