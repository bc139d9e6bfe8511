// Everything that follows from a change, in one go.

const update = () => {
  const current = slice(cube, filtersOf(daysOf(state.from, state.to)));
  shown = { current, against: comparison(current), table: null };
  showControls();
  showChips();
  showNotes();
  showCards();
  showCharts();
  showTable();
  showAll();
  remember();
  tell();
};
const announce = (words) => { $("status").textContent = words; };
const tell = later(600, () => {
  const { columns } = metricsBy(shown.current, ["revenue", "roas", "active_influencers"]);
  announce(`Selection: ${text(columns.revenue[0], "money", true)} revenue, ROAS ${text(columns.roas[0], "multiple", true)}, `
    + `${plural(columns.active_influencers[0] || 0, "active influencer")}.`);
});

const showChips = () => {
  const chips = [];
  const chip = (words, undo) => {
    const button = make("button", { type: "button" }, words, make("span", { ariaHidden: "true" }, "×"));
    button.setAttribute("aria-label", `Remove ${words}`);
    button.addEventListener("click", () => {
      const place = chips.findIndex(({ firstElementChild }) => firstElementChild === button);
      undo();
      // Focus stays among the chips.
      const left = $("chips").querySelectorAll("button");
      (left[Math.min(place, left.length - 1)] ?? $("results")).focus();
    });
    chips.push(make("li", {}, button));
  };
  if (state.from || state.to) {
    const days = snapped(cube, daysOf(state.from, state.to));
    chip(`${inWords(days[0])} to ${inWords(days[1])}`, () => set({ from: "", to: "", page: 0 }));
  }
  for (const [name, chosen] of Object.entries(state.values)) {
    for (const value of chosen) {
      const words = name === "influencer" ? nameOf(value) : plain(value === UNASSIGNED ? null : value);
      chip(`${facts.labels[name]}: ${words}`, () => toggle(name, value));
    }
  }
  if (state.search.trim()) chip(`Influencer contains “${oneLine(state.search)}”`, () => set({ search: "", page: 0 }));
  if (state.minRoas !== null) chip(`ROAS at least ${state.minRoas}×`, () => set({ minRoas: null, page: 0 }));
  if (state.minPrice !== null) chip(`Price from ₹${state.minPrice}`, () => set({ minPrice: null, page: 0 }));
  if (state.maxPrice !== null) chip(`Price to ₹${state.maxPrice}`, () => set({ maxPrice: null, page: 0 }));
  $("chips").replaceChildren(...chips);
  $("chips").hidden = !chips.length;
};
const nameOf = (id) => {
  const place = cube.people.influencer_id.indexOf(id);
  return cube.people.shown[place] ?? plain(id);
};

const showNotes = () => {
  const { current, against } = shown;
  const notes = state.absent.map(([name, typed]) =>
    `The address names the ${facts.labels[name].toLowerCase()} “${oneLine(typed)}”, which this data does not have: it filters nothing here.`);
  if (against.words) notes.push(against.words);
  if (current.hidden) {
    const { influencers, revenue, spend, others } = current.hidden;
    const gone = `${plural(influencers, "influencer")} with ${text(revenue, "money")} of influencer revenue and ${text(spend, "money")} of spend`;
    const rest = `${text(others, "money")} of revenue that no influencer brought`;
    const nobody = !(influencers || revenue || spend);
    notes.push(`The minimum ROAS hides ${(!others ? [gone] : nobody ? [rest] : [gone, rest]).join(", and ")}.`);
  }
  if (state.minPrice !== null || state.maxPrice !== null) notes.push("Under limits of the price, products without a known price and spend that names no product are left out.");
  for (const name of current.untold) notes.push(`Posts name no ${name.replace("_", " ")}, so nothing about posts is known under that filter.`);
  if (settings().apart) notes.push(settings().apart);
  if (cube.grain !== "day" && current.filters.days) {
    const [from, to] = snapped(cube, current.filters.days);
    if (from !== current.filters.days[0] || to !== current.filters.days[1]) notes.push(`Dates are widened to whole ${cube.grain}s: ${inWords(from)} to ${inWords(to)}.`);
  }
  $("notes").replaceChildren(...notes.map((words) => make("li", {}, words)));
  $("notes").hidden = !notes.length;
};

const targetWords = (metric, value) => {
  const aim = settings().targets[metric.name];
  if (aim === undefined) return "";
  const words = `target ${text(aim, metric.unit, true)}`;
  if (Number.isNaN(value)) return words;
  if (metric.good === "neither") return aim > 0 ? `${text(value / aim, "percent")} of ${words}` : words;
  const gap = value - aim;
  if (gap === 0 || gap > 0 === (metric.good === "up")) return `${words}: met`;
  if (["money", "count"].includes(metric.unit) && aim > 0) return `${words}: missed by ${text(Math.abs(gap) / aim, "percent")}`;
  return `${words}: missed by ${metric.unit === "percent" ? difference(Math.abs(gap)).replace("+", "") : text(Math.abs(gap), metric.unit, true)}`;
};

const showCards = () => {
  const { current, against } = shown;
  const now = metricsBy(current, facts.cards);
  const before = against.slice && compute(against.slice, declared, facts.cards);
  const read = readAt(current, "", 0);
  $("cards").replaceChildren(...facts.cards.map((name, place) => {
    const metric = declared[name];
    const value = now.columns[name][0];
    const card = make("div", { class: `hk-tile${place < 3 ? " hk-first" : ""}` },
      make("dt", { class: "hk-label", title: `${metric.description} ${metric.formula}` }, labelOf(name)),
      make("dd", { class: "hk-value" }, make("data", { value: csvNumber(value) }, text(value, metric.unit, true))));
    card.dataset.metric = name;
    if (before) {
      const { words, trend } = change(value, before.columns[name][0], metric.unit, against.name);
      const verdict = metric.good === "neither" || !["up", "down"].includes(trend) ? "" : trend === metric.good ? " good" : " bad";
      const shownBefore = text(before.columns[name][0], metric.unit, true);
      if (words) card.append(make("dd", { class: `hk-delta ${trend}${verdict}`, title: `${against.name}: ${shownBefore}` }, words));
      card.dataset.before = csvNumber(before.columns[name][0]);
    }
    const notes = [Number.isNaN(value) ? reasonFor(current, declared, name, read) : "", targetWords(metric, value)];
    for (const note of notes) if (note) card.append(make("dd", { class: "hk-note" }, note));
    return card;
  }));
};

// Colours: the system's until the reader chooses, remembered as in the reports.

const theme = () => {
  const root = document.documentElement;
  const button = document.querySelector(".hk-theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("hk-theme");
      localStorage.setItem("hk-theme", value);
    } catch { /* nothing to remember it in */ }
    return null;
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  if (["dark", "light"].includes(stored())) root.dataset.theme = stored();
  label();
  system.addEventListener("change", label);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    label();
  });
};

const start = async () => {
  theme();
  try {
    cube = openCube(await inflate($("cube").textContent));
    await document.fonts.load("14px 'Source Sans Pro'");
    await document.fonts.load("600 14px 'Source Sans Pro'");
    buildControls();
    buildCharts();
    listen();
    if (matchMedia("(max-width: 62rem)").matches) $("filters").open = false;
    $("live").hidden = false;
    state = fromHash();
    update();
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    $("failed").textContent = `This page could not be set up: ${error.message}. A current Chrome, Edge, Firefox or Safari opens it.`;
    $("failed").hidden = false;
    throw error;
  }
};
start();
